package harness

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
)

// Conflicted is a key that more than one write decides, as causeway prints it.
type Conflicted struct {
	Key       string     `json:"key"`
	Absent    bool       `json:"absent"`
	Merged    bool       `json:"merged"`
	Conflicts []Conflict `json:"conflicts"`
}

// Conflict is a place of a value where not all that was written is shown.
type Conflict struct {
	Kind  string    `json:"kind"`
	Path  []string  `json:"path"`
	Rule  string    `json:"rule"`
	Shown Version   `json:"shown"`
	Lost  []Version `json:"lost"`
}

// Version is what one write made of a place.
type Version struct {
	Place struct {
		Value json.RawMessage `json:"value"`
	} `json:"place"`
	Deleted bool `json:"deleted"`
	Writer  struct {
		Operator string `json:"operator"`
	} `json:"writer"`
}

// At returns the path of the place in one word.
func (c *Conflict) At() string { return strings.Join(c.Path, ".") }

// Conflicts returns what `causeway conflicts` lists at a node, by key.
func (s *Store) Conflicts() map[string]Conflicted {
	s.t.Helper()
	var msg bytes.Buffer
	cmd := exec.Command(s.bin, "conflicts", "--data-dir", s.Dir, "-o", "json")
	cmd.Stderr = &msg
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("causeway conflicts: %v\n%s", err, &msg)
	}
	var keys []Conflicted
	if err := json.Unmarshal(out, &keys); err != nil {
		s.t.Fatalf("causeway conflicts: %v in %s", err, out)
	}
	by := make(map[string]Conflicted, len(keys))
	for _, k := range keys {
		by[k.Key] = k
	}
	return by
}

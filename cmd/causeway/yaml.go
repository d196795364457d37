package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// appendYAML appends a JSON text as YAML in blocks, members in their order.
// Scalars stay JSON, which YAML reads as the same; texts that cannot be taken
// for anything else lose their quotes.
func appendYAML(b []byte, text []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	y := yaml{d: d, b: b}
	err := y.value(0, false)
	return y.b, err
}

// A yaml writes what a decoder reads.
type yaml struct {
	d *json.Decoder
	b []byte
}

// value writes the next value, whose blocks are indented by depth. It stands
// behind a name or a dash, or begins a line; a block behind a dash begins there.
func (y *yaml) value(depth int, dash bool) error {
	t, err := y.d.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		if !y.d.More() {
			y.b = append(y.b, map[json.Delim]string{'{': "{}", '[': "[]"}[t]+"\n"...)
			_, err = y.d.Token()
			return err
		}
		if len(y.b) > 0 && !dash {
			y.b = append(bytes.TrimRight(y.b, " "), '\n')
		}
		for first := true; y.d.More(); first = false {
			if !first || !dash {
				y.b = append(y.b, strings.Repeat("  ", depth)...)
			}
			if t == '[' {
				y.b = append(y.b, "- "...)
				if err := y.value(depth+1, true); err != nil {
					return err
				}
				continue
			}
			name, err := y.d.Token()
			if err != nil {
				return err
			}
			y.b = append(y.b, yamlText(fmt.Sprint(name))+": "...)
			if err := y.value(depth+1, false); err != nil {
				return err
			}
		}
		_, err = y.d.Token()
		return err
	case string:
		y.b = append(y.b, yamlText(t)+"\n"...)
	case nil:
		y.b = append(y.b, "null\n"...)
	default: // a number or a bool
		y.b = append(y.b, fmt.Sprint(t)+"\n"...)
	}
	return nil
}

// plainYAML matches texts that need no quotes: none that YAML takes for a
// number, a time, a bool or null.
var (
	plainYAML    = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./-]*$`)
	reservedYAML = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)
)

func yamlText(s string) string {
	if plainYAML.MatchString(s) && !reservedYAML.MatchString(s) {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string
	}
	return strings.TrimSuffix(b.String(), "\n")
}

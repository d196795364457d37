package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/dag"
	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/etcdgw/kube"
	"github.com/causeway-sync/causeway/identity"
)

// TestFixtures: the objects that k8s.io/api keeps of its kinds, of this and of
// earlier versions, are well formed and not opaque, and a patch brings one from
// an earlier version to this one byte for byte.
func TestFixtures(t *testing.T) {
	s, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	types, err := applyTypes(s, storedKinds(s))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/api").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), "testdata")
	versions, err := filepath.Glob(filepath.Join(dir, "v*"))
	if err != nil || len(versions) == 0 {
		t.Fatalf("no versions in %s, %v", dir, err)
	}
	read, patched := 0, 0
	for _, k := range storedKinds(s) {
		if _, ok := types[k.typ]; !ok || strings.HasPrefix(k.Group, "apiextensions") {
			continue
		}
		group := k.Group
		if group == "" {
			group = "core"
		}
		for _, extension := range []string{".pb", ".json"} {
			name := group + "." + k.Version + "." + k.Kind + extension
			current := fixture(t, k, filepath.Join(dir, "HEAD", name))
			if current == nil {
				t.Errorf("no fixture %s", name)
				continue
			}
			read++
			for _, v := range versions {
				earlier := fixture(t, k, filepath.Join(v, name))
				if earlier == nil {
					continue // a new kind
				}
				read++
				p, ok := crdt.Diff(earlier, current)
				if !ok {
					t.Errorf("no patch from %s to %s", v, name)
					continue
				}
				if made, err := crdt.Apply(earlier, p); err != nil || !bytes.Equal(made.Value(), current.Value()) {
					t.Errorf("%s of %s: another value, %v", name, v, err)
				}
				patched++
			}
		}
	}
	t.Logf("%d objects, %d patches", read, patched)
}

// fixture reads an object and looks at it; nil if there is none.
func fixture(t *testing.T, k kind, file string) *crdt.Tree {
	t.Helper()
	value, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	form := &identity.Form{Kind: k.Kind, Versions: []string{k.GroupVersion().String()}}
	if err := dag.CheckForm(form, []byte("/registry/things/namespaceValue/nameValue"), value); err != nil {
		t.Errorf("%s: %v", file, err)
	}
	s, ok := kube.SchemaFor(value)
	if !ok {
		t.Fatalf("%s has no schema", file)
	}
	tree := crdt.Parse(value, s)
	if tree.Opaque() {
		t.Errorf("%s is opaque", file)
	}
	return tree
}

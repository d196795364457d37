package kubernetes

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/causeway-sync/causeway/integration/kubernetes/harness"
	"github.com/causeway-sync/causeway/integration/kubernetes/upstream"
)

const module = "github.com/causeway-sync/causeway/integration/kubernetes"

// exchanged are the imports that are replaced in the tests of Kubernetes: what
// they start as their etcd.
var exchanged = strings.NewReplacer(
	`"k8s.io/apiserver/pkg/storage/etcd3/testserver"`, `"`+module+`/upstream/testserver"`,
	`"k8s.io/apiserver/pkg/storage/etcd3/testing"`, `"`+module+`/upstream/etcd3testing"`,
	`"go.etcd.io/etcd/server/v3/embed"`, `"`+module+`/upstream/embed"`,
)

// compileUpstream compiles the tests of a package of Kubernetes with what they
// start as their etcd exchanged. The sources are laid over a folder of this
// module that does not exist.
func compileUpstream(t *testing.T, path string) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "*.go"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources of %s: %v", path, err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	scratch, name := t.TempDir(), filepath.Base(path)
	replace := make(map[string]string)
	for _, source := range sources {
		laid := source
		if strings.HasSuffix(source, "_test.go") {
			laid = filepath.Join(scratch, filepath.Base(source))
			text, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(laid, []byte(exchanged.Replace(string(text))), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		replace[filepath.Join(here, "upstream", name, filepath.Base(source))] = laid
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlayFile, bin := filepath.Join(scratch, "overlay.json"), filepath.Join(scratch, name+".test")
	if err := os.WriteFile(overlayFile, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlayFile, "-o", bin, "./upstream/"+name).CombinedOutput()
	if err != nil {
		t.Fatalf("go test -c %s: %v\n%s", path, err, out)
	}
	return bin
}

// watchCache adds the tests of the watch cache, which take minutes more.
var watchCache = flag.Bool("watch-cache", false, "in TestStorage, also run the tests of k8s.io/apiserver/pkg/storage/cacher")

// numbered are the cases of storage/cacher that name revisions of a young etcd
// after its first write. A joined node's are far beyond then, so it cannot pass
// them; nor can an etcd that was in use before.
const numbered = `^TestLists$/ListFromCacheSnapshot=false/^List$/_of_[a-z]+_write,_match=Exact$`

// TestStorage runs the tests that the Kubernetes developers have of their
// storage: on a node that founded its mesh, and on one that joined.
func TestStorage(t *testing.T) {
	const cacher = "k8s.io/apiserver/pkg/storage/cacher"
	packages := []string{"k8s.io/apiserver/pkg/storage/etcd3"}
	if *watchCache {
		packages = append(packages, cacher)
	}
	for _, path := range packages {
		bin := compileUpstream(t, path)
		for _, store := range []string{"founder", "joined"} {
			t.Run(filepath.Base(path)+"/"+store, func(t *testing.T) {
				args := []string{"-test.timeout=10m", "-test.v"}
				if store == "joined" && path == cacher {
					args = append(args, "-test.skip="+numbered)
				}
				runUpstream(t, bin, store, args...)
			})
		}
		if path == cacher {
			t.Run("cacher/numbered", func(t *testing.T) { checkNumbered(t, bin) })
		}
	}
}

// checkNumbered runs the numbered tests on a joined node and on an etcd that was in
// use before, and fails unless the same ones fail on both.
func checkNumbered(t *testing.T, bin string) {
	joined, aged := failures(t, bin, "joined"), failures(t, bin, "aged")
	t.Logf("%d tests and cases fail on a joined node, %d on an etcd that was in use before", len(joined), len(aged))
	if got, want := slices.Sorted(maps.Keys(joined)), slices.Sorted(maps.Keys(aged)); !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("on a joined node fail %q, on an etcd that was in use before %q; want the same", got, want)
	}
}

// failures runs the numbered tests on a store, and returns those that fail.
func failures(t *testing.T, bin, store string) map[string]bool {
	t.Helper()
	cmd := exec.Command("go", "tool", "test2json", bin, "-test.v=test2json", "-test.timeout=10m", "-test.run="+numbered)
	cmd.Dir = t.TempDir()
	// Tests that fail leave their logs, here as expected.
	cmd.Env = append(os.Environ(), upstream.StoreEnv+"="+store, "TMPDIR="+t.TempDir())
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	failed := make(map[string]bool)
	for line := range bytes.Lines(out) {
		var event struct{ Action, Test string }
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if event.Test != "" && event.Action == "fail" {
			failed[event.Test] = true
		}
	}
	return failed
}

// runUpstream runs compiled tests on a store and counts what passed.
func runUpstream(t *testing.T, bin, store string, args ...string) {
	t.Helper()
	cmd := exec.Command(bin, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), upstream.StoreEnv+"="+store)
	out, err := cmd.CombinedOutput()
	passed := 0
	for line := range strings.Lines(string(out)) {
		switch result := strings.TrimSpace(line); {
		case strings.HasPrefix(line, "--- PASS"):
			passed++
		case strings.HasPrefix(result, "--- FAIL"), strings.HasPrefix(line, "--- SKIP"), strings.HasPrefix(line, "panic:"):
			t.Log(result)
		}
	}
	t.Logf("%d tests passed", passed)
	if err != nil || passed == 0 {
		log := filepath.Join(harness.LogDir(t), filepath.Base(bin)+".log")
		if err := os.WriteFile(log, out, 0o600); err != nil {
			t.Error(err)
		}
		t.Fatalf("%s: %v", filepath.Base(bin), err)
	}
}

package kubernetes

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
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

// TestStorage runs the tests that the Kubernetes developers have of their
// storage, on a node that founded its mesh and on one that joined.
func TestStorage(t *testing.T) {
	for _, path := range strings.Fields(os.Getenv("PKGS")) {
		bin := compileUpstream(t, path)
		for _, store := range strings.Fields(os.Getenv("STORES")) {
			t.Run(filepath.Base(path)+"/"+store, func(t *testing.T) {
				cmd := exec.Command(bin, "-test.timeout=5m", "-test.v")
				cmd.Dir = t.TempDir()
				cmd.Env = append(os.Environ(), upstream.StoreEnv+"="+store)
				out, err := cmd.CombinedOutput()
				os.WriteFile("/work/btmp/k8s/"+filepath.Base(path)+"-"+store+".log", out, 0o644)
				if err != nil {
					t.Fatalf("%v", err)
				}
				_ = harness.LogDir
			})
		}
	}
}

package causeway_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/causeway-sync/causeway"

// graph lists every package of the module, and for each the packages of the
// module that its non-test files may import. A package that is not listed
// fails the test: say here where it stands.
var graph = map[string][]string{
	"identity/dagcbor":    {},
	"identity":            {"identity/dagcbor"},
	"identity/rostertest": {"identity"},
	"identity/sshagent":   {"identity"},

	"dag":                   {"identity", "identity/dagcbor"},
	"dag/car":               {"dag", "identity/dagcbor"},
	"dag/dagtest":           {"dag", "dag/crdt", "identity", "identity/dagcbor"},
	"dag/memstore":          {"dag"},
	"dag/storetest":         {"dag"},
	"dag/leveldb":           {"dag"},
	"dag/leveldb/powertest": {},

	"dag/crdt":            {"identity/dagcbor"},
	"dag/reconcile/riblt": {},
	"dag/reconcile":       {"dag", "dag/reconcile/riblt", "identity", "identity/dagcbor"},

	"etcdgw/mvcc": {"dag", "dag/crdt", "identity", "identity/dagcbor"},
	"etcdgw/auth": {},

	"etcdgw/etcdsnap": {},
	"etcdgw/kube":     {"dag/crdt"},

	"etcdgw/kube/profile":  {"identity"},
	"etcdgw/kube/kubetest": {},

	"etcdgw/v3lockpb":     {},
	"etcdgw/v3electionpb": {},
	"etcdgw":              {"etcdgw/auth", "etcdgw/etcdsnap", "etcdgw/mvcc", "etcdgw/v3electionpb", "etcdgw/v3lockpb", "dag"},

	"node/commit": {"dag", "etcdgw/mvcc", "identity", "identity/dagcbor"},
	"node/p2p":    {"dag", "dag/reconcile", "identity", "identity/dagcbor"},
	"node/verify": {"dag", "dag/crdt", "dag/leveldb", "identity", "node/commit"},
	"node/admin":  {"dag", "identity"},
	"node": {
		"dag", "dag/car", "dag/crdt", "dag/leveldb", "etcdgw", "etcdgw/auth", "etcdgw/etcdsnap", "etcdgw/kube", "etcdgw/mvcc", "identity", "identity/dagcbor",
		"node/admin", "node/commit", "node/p2p",
	},
}

// generated lists packages of generated code, which has an init to set up the
// descriptions of its messages.
var generated = []string{"etcdgw/v3lockpb", "etcdgw/v3electionpb"}

// free are the folders above the graph: their packages may import all of it.
var free = []string{"cmd", "integration"}

// pure lists the packages that a simulator can replay exactly: what they may
// not import, themselves, and whose clock they may not read.
var (
	pure          = []string{"identity/dagcbor", "dag", "dag/crdt", "dag/reconcile/riblt", "dag/reconcile"}
	impureImports = []string{"net", "os", "syscall", "math/rand", "crypto/rand", "io/ioutil", "log", "log/slog", "testing", "runtime"}
	impureTime    = []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTicker", "NewTimer"}
	// impureDeps must not even be reached through others.
	impureDeps = []string{
		"github.com/libp2p/", "github.com/syndtr/", "google.golang.org/grpc", "go.etcd.io/",
		"github.com/spf13/", "github.com/prometheus/",
	}
)

// source is a parsed non-test file.
type source struct {
	path string // slash-separated, from the root
	pkg  string // its folder, from the root
	file *ast.File
	fset *token.FileSet
}

// sources parses the non-test Go files of this module: nested modules and
// testdata are others'.
func sources(t *testing.T) []source {
	t.Helper()
	var found []source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		p = filepath.ToSlash(p)
		if d.IsDir() {
			name := d.Name()
			nested, _ := filepath.Glob(path.Join(p, "go.mod"))
			if p != "." && (name == "testdata" || strings.HasPrefix(name, ".") || len(nested) > 0) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") || path.Dir(p) == "." {
			return nil
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, p, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		found = append(found, source{path: p, pkg: path.Dir(p), file: f, fset: fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// imports returns the import paths of s.
func (s source) imports(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, spec := range s.file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	return paths
}

// within reports whether p is one of the folders or lies in one.
func within(p string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return p == f || strings.HasPrefix(p, f+"/") })
}

func TestImportGraph(t *testing.T) {
	for _, s := range sources(t) {
		if within(s.pkg, free) {
			continue
		}
		allowed, known := graph[s.pkg]
		if !known {
			t.Errorf("package %s is not in the graph of imports", s.pkg)
			continue
		}
		for _, imp := range s.imports(t) {
			in, ours := strings.CutPrefix(imp, module+"/")
			if ours && !slices.Contains(allowed, in) {
				t.Errorf("%s imports %s, which the graph of imports does not allow", s.path, in)
			}
		}
	}
}

func TestPurePackages(t *testing.T) {
	for _, s := range sources(t) {
		if !slices.Contains(pure, s.pkg) {
			continue
		}
		for _, imp := range s.imports(t) {
			if within(imp, impureImports) {
				t.Errorf("%s imports %s, but its package is pure", s.path, imp)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%v starts a goroutine, but its package is pure", s.fset.Position(n.Pos()))
			case *ast.SelectorExpr:
				x, ok := n.X.(*ast.Ident)
				if ok && x.Name == "time" && slices.Contains(impureTime, n.Sel.Name) {
					t.Errorf("%v uses time.%s, but its package is pure", s.fset.Position(n.Pos()), n.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestPureDependencies(t *testing.T) {
	args := []string{"list", "-deps", "-f", "{{.ImportPath}}"}
	for _, p := range pure {
		args = append(args, "./"+p)
	}
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for dep := range strings.Lines(string(out)) {
		dep = strings.TrimSpace(dep)
		for _, bad := range impureDeps {
			if strings.HasPrefix(dep, bad) {
				t.Errorf("a pure package reaches %s", dep)
			}
		}
	}
}

// TestNoInit holds the rule that importing a package does nothing.
func TestNoInit(t *testing.T) {
	for _, s := range sources(t) {
		if slices.Contains(generated, s.pkg) {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%v: func init", s.fset.Position(f.Pos()))
			}
		}
	}
}

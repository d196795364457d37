package kubernetes

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// stored is a resource as the Kubernetes developers' own test of storage paths
// has it: an object, where it is stored, and as what.
type stored struct {
	resource   schema.GroupVersionResource
	object     string // JSON without apiVersion and kind, of built-in kinds
	key        string
	namespaced bool
	kind       schema.GroupVersionKind // no Kind: a custom resource
}

// extensionKinds are the stored kinds of a kube-apiserver that are not of k8s.io/api.
var extensionKinds = map[string]string{
	"customresourcedefinitions": "CustomResourceDefinition",
	"apiservices":               "APIService",
}

// storedResources reads the table of that test, k8s.io/kubernetes/test/integration/etcd,
// from its source, for objects in a namespace. To import it would compile a kube-apiserver into the tests.
func storedResources(t *testing.T, namespace string) []stored {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/kubernetes").Output()
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(strings.TrimSpace(string(dir)), "test", "integration", "etcd", "data.go")
	file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	kinds, _ := schemeKinds()
	variables := map[string]string{"namespace": namespace, "image": "example.org/none:1"}
	var rows []stored
	ast.Inspect(file, func(n ast.Node) bool {
		entry, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		name, isCall := entry.Key.(*ast.CallExpr)
		fields, isLiteral := entry.Value.(*ast.CompositeLit)
		if !isCall || !isLiteral {
			return true
		}
		args := texts(t, name.Args, variables)
		row := stored{resource: schema.GroupVersionResource{Group: args[0], Version: args[1], Resource: args[2]}}
		for _, element := range fields.Elts {
			field := element.(*ast.KeyValueExpr)
			switch field.Key.(*ast.Ident).Name {
			case "Stub":
				row.object = text(t, field.Value, variables)
			case "ExpectedEtcdPath":
				row.key = text(t, field.Value, variables)
			case "ExpectedGVK":
				args := texts(t, field.Value.(*ast.CallExpr).Args, variables)
				row.kind = schema.GroupVersionKind{Group: args[0], Version: args[1], Kind: args[2]}
			}
		}
		row.namespaced = strings.Contains(row.key, "/"+namespace+"/")
		if row.kind.Kind == "" {
			row.kind = row.resource.GroupVersion().WithKind(kinds[row.resource])
		}
		if kind := extensionKinds[row.resource.Resource]; kind != "" {
			row.kind.Kind = kind
		} else if len(kinds[row.resource]) == 0 {
			row.kind.Kind = ""
		}
		rows = append(rows, row)
		return false
	})
	if len(rows) < 90 {
		t.Fatalf("only %d resources in %s", len(rows), source)
	}
	return rows
}

// text evaluates an expression of strings and variables.
func text(t *testing.T, e ast.Expr, variables map[string]string) string {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		return s
	case *ast.Ident:
		return variables[e.Name]
	case *ast.BinaryExpr:
		return text(t, e.X, variables) + text(t, e.Y, variables)
	}
	t.Fatalf("the table has an expression %T", e)
	return ""
}

func texts(t *testing.T, list []ast.Expr, variables map[string]string) []string {
	t.Helper()
	var all []string
	for _, e := range list {
		all = append(all, text(t, e, variables))
	}
	return all
}

// schemeKinds returns the kind of each resource of k8s.io/api, and the
// apiVersions that each kind has.
func schemeKinds() (map[schema.GroupVersionResource]string, map[string][]string) {
	kinds, versions := make(map[schema.GroupVersionResource]string), make(map[string][]string)
	for gvk := range scheme.Scheme.AllKnownTypes() {
		if gvk.Version == runtime.APIVersionInternal {
			continue
		}
		plural, _ := meta.UnsafeGuessKindToResource(gvk)
		kinds[plural] = gvk.Kind
		versions[gvk.Kind] = append(versions[gvk.Kind], gvk.GroupVersion().String())
	}
	return kinds, versions
}

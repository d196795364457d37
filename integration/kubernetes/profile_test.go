package kubernetes

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/causeway-sync/causeway/integration/kubernetes/harness"
)

// stable is what apiVersions look like whose stored form does not change any more.
var stable = regexp.MustCompile(`(^|/)v\d+$`)

// TestProfileKinds compares the forms that the profile "shared" demands with the
// sources of Kubernetes: every stored resource that replicates and has a stable
// version must be of a form which takes all the versions that can be decoded.
func TestProfileKinds(t *testing.T) {
	rules := harness.SharedProfile(t)
	_, versions := schemeKinds()
	met := make(map[string]bool)
	for _, r := range storedResources(t, "team-a") {
		rule := harness.Holding(rules, r.key)
		decoded := versions[r.kind.Kind]
		switch {
		case rule == nil:
			t.Errorf("no rule holds for %s", r.key)
		case rule.Mode == "local":
		case r.kind.Kind == "": // a custom resource
			if rule.Form != nil {
				t.Errorf("%s, a custom resource, must be a %s", r.key, rule.Form.Kind)
			}
		case rule.Form == nil:
			if slices.ContainsFunc(decoded, stable.MatchString) {
				t.Errorf("%s has no form, and %s has a stable version: %q", r.key, r.kind.Kind, decoded)
			}
		case rule.Form.Kind != r.kind.Kind || !slices.Contains(rule.Form.APIVersions, r.kind.GroupVersion().String()):
			t.Errorf("%s stores %s; its form is %v", r.key, r.kind, *rule.Form)
		default:
			met[rule.Pattern] = true
			takes := slices.Sorted(slices.Values(rule.Form.APIVersions))
			if decoded := slices.Sorted(slices.Values(decoded)); decoded != nil && !slices.Equal(takes, decoded) {
				t.Errorf("%s: the form takes %q, Kubernetes decodes %q", r.key, takes, decoded)
			}
		}
	}
	for _, r := range rules {
		if r.Form != nil && !met[r.Pattern] {
			t.Errorf("Kubernetes stores nothing under %s", r.Pattern)
		}
	}
}

// TestProfiles runs a control plane on a node with either profile, and with the
// one whose forms it meets in either encoding of objects.
func TestProfiles(t *testing.T) {
	workload, forms := step{"Deployment", testDeployment}, step{"Forms", testForms}
	for _, test := range []struct {
		name     string
		newStore harness.NewStore
		encoding string
		steps    []step
	}{
		{"shared", harness.NewShared, "application/vnd.kubernetes.protobuf", []step{workload, forms}},
		{"shared, JSON", harness.NewShared, "application/json", []step{workload, forms}},
		{"independent", harness.NewIndependent, "application/vnd.kubernetes.protobuf", []step{workload}},
	} {
		t.Run(test.name, func(t *testing.T) {
			logs := harness.LogDir(t)
			store := test.newStore(t, logs)
			store.Start()
			c := &cluster{store: store, ControlPlane: harness.StartControlPlane(t, logs, store.Endpoint,
				append(store.Flags, "--storage-media-type="+test.encoding)...)}
			harness.StartKubelets(t, c.Client, 3)
			c.run(t, test.steps)
		})
	}
}

// testForms creates an object of every built-in resource that the API server serves, on a
// node with the profile "shared", and checks that everything which the control
// plane stored is of the form of its key, and that each form was met.
// (What is not of its form the node refuses to write.)
func testForms(t *testing.T, c *cluster) {
	const namespace = "forms"
	c.namespace(t, namespace)
	created := make(map[string]bool) // keys; controllers may have deleted some since
	for _, r := range storedResources(t, namespace) {
		if r.kind.Kind == "" {
			continue
		}
		switch err := c.createStored(t, r, namespace); {
		case err == nil:
			created[r.key] = true
		case apierrors.IsNotFound(err): // not served by default
		default:
			t.Errorf("create %s: %v", r.key, err)
		}
	}

	rules := harness.SharedProfile(t)
	formed := c.checkForms(t, rules)
	for key := range formed {
		delete(created, key)
	}
	met := make(map[string]int)
	for _, kind := range formed {
		if kind != "" {
			met[kind]++
		}
	}
	for _, r := range rules {
		if r.Form != nil && met[r.Form.Kind] == 0 {
			t.Errorf("no %s was stored", r.Form.Kind)
		}
	}
	t.Logf("objects by kind: %v; created, and not there: %v", met, created)
}

// checkForms checks that all that a node with the profile "shared" has stored is of the form of its key. It
// returns the keys, with the kind that their form demands, "" where there is none.
func (c *cluster) checkForms(t *testing.T, rules []harness.Rule) map[string]string {
	t.Helper()
	client := c.store.Client()
	defer client.Close()
	resp, err := client.Get(t.Context(), "\x00", clientv3.WithFromKey())
	if err != nil {
		t.Fatal(err)
	}
	formed := make(map[string]string)
	for _, kv := range resp.Kvs {
		key := string(kv.Key)
		formed[key] = ""
		rule := harness.Holding(rules, key)
		switch {
		case rule == nil:
			t.Errorf("no rule holds for %s", key)
		case rule.Mode == "local":
		case rule.Form == nil:
			if group, _, _ := strings.Cut(strings.TrimPrefix(key, "/registry/"), "/"); !strings.Contains(group, ".") {
				t.Errorf("%s has no form", key)
			}
		default:
			formed[key] = rule.Form.Kind
			if err := checkForm(rule.Form, kv.Value); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
	}
	return formed
}

// checkRefused checks that a node refuses a value that is not of the form of its key.
func (c *cluster) checkRefused(t *testing.T, key string) {
	t.Helper()
	client := c.store.Client()
	defer client.Close()
	if _, err := client.Put(t.Context(), key, "no object"); status.Code(err) != codes.PermissionDenied && status.Code(err) != codes.InvalidArgument {
		t.Errorf("%s: a put of no object at %s: %v", c.name, key, err)
	}
}

// createStored creates the object of a row, in the version of its row.
func (c *cluster) createStored(t *testing.T, r stored, namespace string) error {
	t.Helper()
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(r.object), &object.Object); err != nil {
		t.Fatal(err)
	}
	object.SetAPIVersion(r.resource.GroupVersion().String())
	object.SetKind(r.kind.Kind)
	var err error
	if r.namespaced {
		_, err = c.Dynamic.Resource(r.resource).Namespace(namespace).Create(t.Context(), object, meta.CreateOptions{})
	} else {
		_, err = c.Dynamic.Resource(r.resource).Create(t.Context(), object, meta.CreateOptions{})
	}
	return err
}

// checkForm decodes a stored object's type with the code of Kubernetes.
func checkForm(form *harness.Form, value []byte) error {
	var unknown runtime.Unknown
	if raw, ok := strings.CutPrefix(string(value), "k8s\x00"); ok {
		if err := unknown.Unmarshal([]byte(raw)); err != nil {
			return err
		}
	} else if err := json.Unmarshal(value, &unknown.TypeMeta); err != nil {
		return err
	}
	if unknown.Kind != form.Kind || !slices.Contains(form.APIVersions, unknown.APIVersion) {
		return fmt.Errorf("is %s %s, its form %v", unknown.APIVersion, unknown.Kind, *form)
	}
	return nil
}

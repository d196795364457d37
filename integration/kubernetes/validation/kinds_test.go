package validation

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	crdinstall "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/coordination/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	"k8s.io/kubernetes/pkg/registry/apps/daemonset"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/replicaset"
	"k8s.io/kubernetes/pkg/registry/apps/statefulset"
	"k8s.io/kubernetes/pkg/registry/autoscaling/horizontalpodautoscaler"
	"k8s.io/kubernetes/pkg/registry/batch/cronjob"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/coordination/lease"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/namespace"
	"k8s.io/kubernetes/pkg/registry/core/node"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolume"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolumeclaim"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/secret"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/networking/ingress"
	"k8s.io/kubernetes/pkg/registry/networking/networkpolicy"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrole"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrolebinding"
	"k8s.io/kubernetes/pkg/registry/rbac/role"
	"k8s.io/kubernetes/pkg/registry/rbac/rolebinding"
)

// strategy is how kube-apiserver takes an object: it completes and validates it.
type strategy interface {
	rest.RESTCreateStrategy
	rest.RESTUpdateStrategy
}

// kind is a kind whose merges are validated.
type kind struct {
	schema.GroupVersionKind // as it is stored
	strategy
	// parts are the strategies of subresources, by the field that each changes:
	// an update of it leaves the rest as it was.
	parts map[string]rest.RESTUpdateStrategy
	// template is where the template of pods is, for those who have one.
	template []string
}

func kinds() []kind {
	crds := customresourcedefinition.NewStrategy(legacyscheme.Scheme)
	status := func(s rest.RESTUpdateStrategy) map[string]rest.RESTUpdateStrategy {
		return map[string]rest.RESTUpdateStrategy{"status": s}
	}
	of := func(group, version, name string) schema.GroupVersionKind {
		return schema.GroupVersionKind{Group: group, Version: version, Kind: name}
	}
	template := []string{"spec", "template"}
	return []kind{
		{of("", "v1", "Pod"), pod.Strategy, status(pod.StatusStrategy), []string{}},
		{of("apps", "v1", "Deployment"), deployment.Strategy, status(deployment.StatusStrategy), template},
		{of("apps", "v1", "ReplicaSet"), replicaset.Strategy, status(replicaset.StatusStrategy), template},
		{of("apps", "v1", "StatefulSet"), statefulset.Strategy, status(statefulset.StatusStrategy), template},
		{of("apps", "v1", "DaemonSet"), daemonset.Strategy, status(daemonset.StatusStrategy), template},
		{of("batch", "v1", "Job"), job.Strategy, status(job.StatusStrategy), template},
		{of("batch", "v1", "CronJob"), cronjob.Strategy, status(cronjob.StatusStrategy), []string{"spec", "jobTemplate", "spec", "template"}},
		{of("", "v1", "Service"), service.Strategy, status(service.StatusStrategy), nil},
		{of("networking.k8s.io", "v1", "Ingress"), ingress.Strategy, status(ingress.StatusStrategy), nil},
		{of("", "v1", "ConfigMap"), configmap.Strategy, nil, nil},
		{of("", "v1", "Secret"), secret.Strategy, nil, nil},
		{of("", "v1", "PersistentVolumeClaim"), persistentvolumeclaim.Strategy, status(persistentvolumeclaim.StatusStrategy), nil},
		{of("", "v1", "PersistentVolume"), persistentvolume.Strategy, status(persistentvolume.StatusStrategy), nil},
		{of("", "v1", "Namespace"), namespace.Strategy, status(namespace.StatusStrategy), nil},
		{of("", "v1", "ServiceAccount"), serviceaccount.Strategy, nil, nil},
		{of("rbac.authorization.k8s.io", "v1", "Role"), role.Strategy, nil, nil},
		{of("rbac.authorization.k8s.io", "v1", "ClusterRole"), clusterrole.Strategy, nil, nil},
		{of("rbac.authorization.k8s.io", "v1", "RoleBinding"), rolebinding.Strategy, nil, nil},
		{of("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"), clusterrolebinding.Strategy, nil, nil},
		{of("networking.k8s.io", "v1", "NetworkPolicy"), networkpolicy.Strategy, nil, nil},
		{of("autoscaling", "v2", "HorizontalPodAutoscaler"), horizontalpodautoscaler.Strategy, status(horizontalpodautoscaler.StatusStrategy), nil},
		{of("policy", "v1", "PodDisruptionBudget"), poddisruptionbudget.Strategy, status(poddisruptionbudget.StatusStrategy), nil},
		{of("coordination.k8s.io", "v1", "Lease"), lease.Strategy, nil, nil},
		{of("", "v1", "Node"), node.Strategy, status(node.StatusStrategy), nil},
		{of("apiextensions.k8s.io", "v1", "CustomResourceDefinition"), crds, status(customresourcedefinition.NewStatusStrategy(legacyscheme.Scheme)), nil},
	}
}

func TestMain(m *testing.M) {
	crdinstall.Install(legacyscheme.Scheme)
	klog.LogToStderr(false) // it says what it thinks of edits that are refused
	klog.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// stored returns the bytes that kube-apiserver would store.
func (k kind) stored(t *testing.T, internal runtime.Object) []byte {
	t.Helper()
	var s runtime.Serializer = protobuf.NewSerializer(legacyscheme.Scheme, legacyscheme.Scheme)
	version := k.GroupVersion()
	if k.Group == "apiextensions.k8s.io" { // the API server keeps definitions like this
		s = kjson.NewSerializerWithOptions(kjson.DefaultMetaFactory, legacyscheme.Scheme, legacyscheme.Scheme, kjson.SerializerOptions{})
		version.Version = "v1beta1"
	}
	internal = internal.DeepCopyObject()
	setRevision(internal, "") // it is not stored
	b, err := runtime.Encode(legacyscheme.Codecs.EncoderForVersion(s, version), internal)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// setRevision sets the version of an object, which its reader gives it.
func setRevision(o runtime.Object, version string) {
	m, err := meta.Accessor(o)
	if err != nil {
		panic(err)
	}
	m.SetResourceVersion(version)
}

// object decodes what is stored, or JSON, with defaults, to the form that is validated.
func object(value []byte) (runtime.Object, error) {
	o, err := runtime.Decode(legacyscheme.Codecs.UniversalDecoder(), value)
	if err != nil {
		return nil, err
	}
	setRevision(o, "1")
	return o, nil
}

// fields returns an object as a tree of JSON, in the version that is stored.
func (k kind) fields(t *testing.T, internal runtime.Object) map[string]any {
	t.Helper()
	s := kjson.NewSerializerWithOptions(kjson.DefaultMetaFactory, legacyscheme.Scheme, legacyscheme.Scheme, kjson.SerializerOptions{})
	b, err := runtime.Encode(legacyscheme.Codecs.EncoderForVersion(s, k.GroupVersion()), internal)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	return tree
}

// typed makes an object of a tree. It has an error for what no object looks like.
func (k kind) typed(tree map[string]any) (runtime.Object, error) {
	b, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	return object(b)
}

// examples reads the kind's file in testdata, which says what there is beside a
// name. Every template is used at least once.
func (k kind) examples(t *testing.T) []map[string]any {
	t.Helper()
	objects := documents(t, k.Kind)
	if k.template == nil {
		for _, o := range objects {
			k.name(o)
		}
		return objects
	}
	templates := documents(t, "template")
	var all []map[string]any
	for i := range max(len(objects), len(templates)) {
		o, template := clone(objects[i%len(objects)]).(map[string]any), templates[i%len(templates)]
		at := o
		for _, name := range k.template {
			at = child(at, name)
		}
		overlay(at, template)
		k.name(o)
		all = append(all, o)
	}
	return all
}

// name gives an object what its key says.
func (k kind) name(o map[string]any) {
	o["apiVersion"], o["kind"] = k.GroupVersion().String(), k.Kind
	m := child(o, "metadata")
	m["name"], m["uid"] = "web", "9a2f"
	if k.NamespaceScoped() {
		m["namespace"] = "team-a"
	}
	if k.Kind == "CustomResourceDefinition" {
		m["name"] = "things.example.org"
	}
}

// documents reads a file of YAML documents.
func documents(t *testing.T, name string) (docs []map[string]any) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := yaml.NewYAMLToJSONDecoder(f)
	for {
		var doc map[string]any
		if err := d.Decode(&doc); errors.Is(err, io.EOF) {
			return docs
		} else if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		docs = append(docs, doc)
	}
}

// child returns a member that is an object, and makes it if need be.
func child(o map[string]any, name string) map[string]any {
	c, ok := o[name].(map[string]any)
	if !ok {
		c = make(map[string]any)
		o[name] = c
	}
	return c
}

// overlay puts what is in from where o has nothing.
func overlay(o, from map[string]any) {
	for name, v := range from {
		if have, ok := o[name].(map[string]any); ok {
			if more, ok := v.(map[string]any); ok {
				overlay(have, more)
				continue
			}
		}
		if _, ok := o[name]; !ok {
			o[name] = clone(v)
		}
	}
}

func clone(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var c any
	d := json.NewDecoder(bytes.NewReader(b))
	if err := d.Decode(&c); err != nil {
		panic(err)
	}
	return c
}

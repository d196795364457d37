package kubernetes

import (
	"slices"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// mergeNamespace is where the scenarios' objects are.
const mergeNamespace = "merge"

// get, put and remove are the options of plain requests.
var (
	get    = meta.GetOptions{}
	put    = meta.UpdateOptions{}
	create = meta.CreateOptions{}
	remove = meta.DeleteOptions{}
)

// scenarios are those of objects that all sites had.
func scenarios() []scenario {
	return []scenario{
		{
			name:    "a Deployment scaled, its image changed, an env and a label added",
			keys:    []string{deploymentKey("web")},
			prepare: func(t *testing.T, c *cluster) { c.deploy(t, mergeNamespace, deployment("web", 1)) },
			edits: [3]func(*testing.T, *cluster){
				editDeployment("web", func(d *apps.Deployment) { three := int32(3); d.Spec.Replicas = &three }),
				editDeployment("web", func(d *apps.Deployment) { container(d, "main").Image = "example.org/none:2" }),
				editDeployment("web", func(d *apps.Deployment) {
					container(d, "main").Env = []core.EnvVar{{Name: "B", Value: "2"}}
					d.Labels = map[string]string{"tier": "front"}
				}),
			},
			merged: true,
			check: func(t *testing.T, c *cluster) {
				d := c.getDeployment(t, mergeNamespace, "web")
				main := container(d, "main")
				if *d.Spec.Replicas != 3 || main.Image != "example.org/none:2" || len(main.Env) != 1 || d.Labels["tier"] != "front" {
					t.Errorf("%s: %d replicas of %s, env %v, labels %v", c.name, *d.Spec.Replicas, main.Image, main.Env, d.Labels)
				}
				if d.Generation != 4 { // newer than any site's controller has observed
					t.Errorf("%s: generation %d, want 4", c.name, d.Generation)
				}
			},
			then: editDeployment("web", func(d *apps.Deployment) { d.Annotations = map[string]string{"after": "all"} }),
		},
		{
			name:    "a Deployment scaled twice",
			keys:    []string{deploymentKey("scaled")},
			prepare: func(t *testing.T, c *cluster) { c.deploy(t, mergeNamespace, deployment("scaled", 1)) },
			edits: [3]func(*testing.T, *cluster){
				editDeployment("scaled", func(d *apps.Deployment) { three := int32(3); d.Spec.Replicas = &three }),
				editDeployment("scaled", func(d *apps.Deployment) { five := int32(5); d.Spec.Replicas = &five }),
			},
			merged: true,
			listed: []string{"concurrent spec.replicas: 3, 5"}, // and not the generation, which counts both
			check: func(t *testing.T, c *cluster) { // one of the two, the same at all sites: the bytes are
				d := c.getDeployment(t, mergeNamespace, "scaled")
				if n := *d.Spec.Replicas; n != 3 && n != 5 || d.Generation != 3 {
					t.Errorf("%s: %d replicas, generation %d", c.name, n, d.Generation)
				}
			},
			then: editDeployment("scaled", func(d *apps.Deployment) { seven := int32(7); d.Spec.Replicas = &seven }),
		},
		{
			name: "containers reordered, and one inserted",
			keys: []string{deploymentKey("order")},
			prepare: func(t *testing.T, c *cluster) {
				d := deployment("order", 0)
				d.Spec.Template.Spec.Containers = []core.Container{{Name: "first", Image: "none"}, {Name: "second", Image: "none"}}
				c.deploy(t, mergeNamespace, d)
			},
			edits: [3]func(*testing.T, *cluster){
				editDeployment("order", func(d *apps.Deployment) { slices.Reverse(d.Spec.Template.Spec.Containers) }),
				editDeployment("order", func(d *apps.Deployment) {
					d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, core.Container{Name: "new", Image: "none"})
				}),
			},
			merged: true,
			check: func(t *testing.T, c *cluster) {
				var names []string
				for _, container := range c.getDeployment(t, mergeNamespace, "order").Spec.Template.Spec.Containers {
					names = append(names, container.Name)
				}
				if want := []string{"second", "new", "first"}; !slices.Equal(names, want) { // the new one came after the second
					t.Errorf("%s: containers %q, want %q", c.name, names, want)
				}
			},
			then: editDeployment("order", func(d *apps.Deployment) { d.Annotations = map[string]string{"after": "all"} }),
		},
		{
			name:    "two finalizers",
			keys:    []string{mapKey("held")},
			prepare: createMap("held"),
			edits: [3]func(*testing.T, *cluster){
				editMap("held", func(m *core.ConfigMap) { m.Finalizers = append(m.Finalizers, "example.org/a") }),
				editMap("held", func(m *core.ConfigMap) { m.Finalizers = append(m.Finalizers, "example.org/b") }),
			},
			merged: true,
			check: func(t *testing.T, c *cluster) {
				f := c.getMap(t, "held").Finalizers
				if len(f) != 2 || !slices.Contains(f, "example.org/a") || !slices.Contains(f, "example.org/b") {
					t.Errorf("%s: finalizers %q", c.name, f)
				}
			},
			then: editMap("held", func(m *core.ConfigMap) { m.Finalizers = nil }),
		},
		{
			name:    "one deleted, updated elsewhere",
			keys:    []string{mapKey("deleted")},
			prepare: createMap("deleted"),
			edits: [3]func(*testing.T, *cluster){
				deleteMap("deleted"),
				editMap("deleted", func(m *core.ConfigMap) { m.Data["b"] = "2" }),
				editMap("deleted", func(m *core.ConfigMap) { m.Data["c"] = "3" }),
			},
			check: func(t *testing.T, c *cluster) {
				if m, err := c.Client.CoreV1().ConfigMaps(mergeNamespace).Get(t.Context(), "deleted", get); !apierrors.IsNotFound(err) {
					t.Errorf("%s: it is there: %v, %v", c.name, m, err)
				}
			},
			then: createMap("deleted"),
		},
		{
			name: "one being deleted, held by a finalizer and updated elsewhere",
			keys: []string{mapKey("ending")},
			prepare: func(t *testing.T, c *cluster) {
				m := configMap("ending", "")
				m.Finalizers = []string{"example.org/hold"}
				c.put(t, m)
			},
			edits: [3]func(*testing.T, *cluster){
				deleteMap("ending"),
				editMap("ending", func(m *core.ConfigMap) { m.Data["b"] = "2" }),
			},
			merged: true,
			check: func(t *testing.T, c *cluster) {
				if m := c.getMap(t, "ending"); m.DeletionTimestamp == nil || m.Data["b"] != "2" {
					t.Errorf("%s: deletion %v, data %v", c.name, m.DeletionTimestamp, m.Data)
				}
			},
			then: editMap("ending", func(m *core.ConfigMap) { m.Finalizers = nil }),
		},
		{
			name:    "one deleted and made again, updated elsewhere",
			keys:    []string{mapKey("again")},
			prepare: createMap("again"),
			edits: [3]func(*testing.T, *cluster){
				func(t *testing.T, c *cluster) { deleteMap("again")(t, c); c.put(t, configMap("again", "new")) },
				editMap("again", func(m *core.ConfigMap) { m.Data["b"] = "2" }),
			},
			listed: []string{`ended-life: (none), {"b":"2","value":""}`},
			brief:  dataOf,
			check: func(t *testing.T, c *cluster) {
				if m := c.getMap(t, "again"); m.Data["value"] != "new" || len(m.Data) != 1 {
					t.Errorf("%s: data %v, want those of the new one", c.name, m.Data)
				}
			},
			then: editMap("again", func(m *core.ConfigMap) { m.Data["after"] = "all" }),
		},
		{
			// What was put there stays, without a namespace. Who makes the namespace again has it.
			name: "a namespace deleted, filled elsewhere",
			keys: []string{"/registry/namespaces/doomed", "/registry/configmaps/doomed/before", "/registry/configmaps/doomed/filled"},
			prepare: func(t *testing.T, c *cluster) {
				if err := c.createNamespace(t, "doomed"); err != nil {
					t.Fatal(err)
				}
				c.putIn(t, "doomed", configMap("before", ""))
			},
			edits: [3]func(*testing.T, *cluster){
				func(t *testing.T, c *cluster) {
					if err := c.Client.CoreV1().Namespaces().Delete(t.Context(), "doomed", remove); err != nil {
						t.Error(err)
					}
				},
				func(t *testing.T, c *cluster) { c.putIn(t, "doomed", configMap("filled", "")) },
			},
			check: func(t *testing.T, c *cluster) {
				if _, err := c.Client.CoreV1().Namespaces().Get(t.Context(), "doomed", get); !apierrors.IsNotFound(err) {
					t.Errorf("%s: the namespace is there: %v", c.name, err)
				}
				if _, err := c.Client.CoreV1().ConfigMaps("doomed").Get(t.Context(), "before", get); !apierrors.IsNotFound(err) {
					t.Errorf("%s: what was in it is there: %v", c.name, err)
				}
				if _, err := c.Client.CoreV1().ConfigMaps("doomed").Get(t.Context(), "filled", get); err != nil {
					t.Errorf("%s: what was put into it: %v", c.name, err)
				}
				if _, err := c.Client.CoreV1().ConfigMaps("doomed").Create(t.Context(), configMap("more", ""), create); err == nil {
					t.Errorf("%s: something was put into a namespace that is not there", c.name)
				}
			},
			then: func(t *testing.T, c *cluster) { // made again and deleted, it takes them with it
				if err := c.createNamespace(t, "doomed"); err != nil {
					t.Fatal(err)
				}
				if err := c.Client.CoreV1().Namespaces().Delete(t.Context(), "doomed", remove); err != nil {
					t.Fatal(err)
				}
				c.waitGone(t, "doomed")
				if _, err := c.Client.CoreV1().ConfigMaps("doomed").Get(t.Context(), "filled", get); !apierrors.IsNotFound(err) {
					t.Errorf("what was put into it: %v", err)
				}
			},
		},
	}
}

func deploymentKey(name string) string { return "/registry/deployments/" + mergeNamespace + "/" + name }

func mapKey(name string) string { return "/registry/configmaps/" + mergeNamespace + "/" + name }

// editDeployment is an edit that is tried once: at a cut-off site nobody else edits.
func editDeployment(name string, change func(*apps.Deployment)) func(*testing.T, *cluster) {
	return func(t *testing.T, c *cluster) {
		t.Helper()
		d := c.getDeployment(t, mergeNamespace, name)
		change(d)
		if _, err := c.Client.AppsV1().Deployments(mergeNamespace).Update(t.Context(), d, put); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func container(d *apps.Deployment, name string) *core.Container {
	containers := d.Spec.Template.Spec.Containers
	return &containers[slices.IndexFunc(containers, func(c core.Container) bool { return c.Name == name })]
}

func createMap(name string) func(*testing.T, *cluster) {
	return func(t *testing.T, c *cluster) { c.put(t, configMap(name, "")) }
}

func editMap(name string, change func(*core.ConfigMap)) func(*testing.T, *cluster) {
	return func(t *testing.T, c *cluster) {
		t.Helper()
		m := c.getMap(t, name)
		change(m)
		if _, err := c.Client.CoreV1().ConfigMaps(mergeNamespace).Update(t.Context(), m, put); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func deleteMap(name string) func(*testing.T, *cluster) {
	return func(t *testing.T, c *cluster) {
		t.Helper()
		if err := c.Client.CoreV1().ConfigMaps(mergeNamespace).Delete(t.Context(), name, remove); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func (c *cluster) getMap(t *testing.T, name string) *core.ConfigMap {
	t.Helper()
	m, err := c.Client.CoreV1().ConfigMaps(mergeNamespace).Get(t.Context(), name, get)
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	return m
}

func (c *cluster) put(t *testing.T, m *core.ConfigMap) { t.Helper(); c.putIn(t, mergeNamespace, m) }

func (c *cluster) putIn(t *testing.T, namespace string, m *core.ConfigMap) {
	t.Helper()
	if _, err := c.Client.CoreV1().ConfigMaps(namespace).Create(t.Context(), m, create); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
}

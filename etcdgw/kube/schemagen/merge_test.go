package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/causeway-sync/causeway/dag/crdt"
	"github.com/causeway-sync/causeway/etcdgw/kube"
)

// A change edits an object.
type change func(*appsv1.Deployment)

func deployment() *appsv1.Deployment {
	one := int32(1)
	d := &appsv1.Deployment{}
	d.APIVersion, d.Kind = "apps/v1", "Deployment"
	d.Name, d.Namespace, d.UID, d.Generation = "web", "team-a", "9a2f", 1
	d.Spec.Replicas = &one
	d.Spec.Template.Spec.Containers = []corev1.Container{
		{Name: "web", Image: "web:1", Ports: []corev1.ContainerPort{{ContainerPort: 80, Protocol: "TCP"}}},
		{Name: "log", Image: "log:1", Env: []corev1.EnvVar{{Name: "A", Value: "1"}}},
	}
	return d
}

// first returns the first container, second the other.
func first(d *appsv1.Deployment) *corev1.Container  { return &d.Spec.Template.Spec.Containers[0] }
func second(d *appsv1.Deployment) *corev1.Container { return &d.Spec.Template.Spec.Containers[1] }

// TestMerge: what becomes of a Deployment that sites edit without seeing each
// other, in both encodings.
func TestMerge(t *testing.T) {
	scale := func(n int32) change {
		return func(d *appsv1.Deployment) { d.Spec.Replicas = &n; d.Generation++ }
	}
	noon := metav1.Unix(1767268800, 0)
	for _, tt := range []struct {
		name  string
		edits []change
		want  change
	}{
		{"scale, image, env and label", []change{
			scale(3),
			func(d *appsv1.Deployment) { second(d).Image = "log:2"; d.Generation++ },
			func(d *appsv1.Deployment) {
				first(d).Env = []corev1.EnvVar{{Name: "B", Value: "2"}}
				d.Labels = map[string]string{"tier": "front"}
				d.Generation++
			},
		}, func(d *appsv1.Deployment) {
			scale(3)(d)
			second(d).Image = "log:2"
			first(d).Env = []corev1.EnvVar{{Name: "B", Value: "2"}}
			d.Labels = map[string]string{"tier": "front"}
			d.Generation = 4
		}},
		{"two scale", []change{scale(3), scale(5)}, func(d *appsv1.Deployment) { scale(5)(d); d.Generation = 3 }},
		{"finalizers", []change{
			func(d *appsv1.Deployment) { d.Finalizers = []string{"b"} },
			func(d *appsv1.Deployment) { d.Finalizers = []string{"a"} },
		}, func(d *appsv1.Deployment) { d.Finalizers = []string{"b", "a"} }},
		{"reorder and insert", []change{
			func(d *appsv1.Deployment) {
				c := d.Spec.Template.Spec.Containers
				c[0], c[1] = c[1], c[0]
			},
			func(d *appsv1.Deployment) {
				d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "new"})
			},
		}, func(d *appsv1.Deployment) {
			c := d.Spec.Template.Spec.Containers
			d.Spec.Template.Spec.Containers = []corev1.Container{c[1], {Name: "new"}, c[0]} // it came after the second
		}},
		{"a container removed while edited", []change{
			func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers = d.Spec.Template.Spec.Containers[:1] },
			func(d *appsv1.Deployment) { second(d).Image = "log:2" },
		}, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers = d.Spec.Template.Spec.Containers[:1] }},
		{"ports by port and protocol", []change{
			func(d *appsv1.Deployment) {
				first(d).Ports = append(first(d).Ports, corev1.ContainerPort{ContainerPort: 80, Protocol: "UDP"})
			},
			func(d *appsv1.Deployment) { first(d).Ports[0].Name = "http" },
		}, func(d *appsv1.Deployment) {
			first(d).Ports = []corev1.ContainerPort{{ContainerPort: 80, Protocol: "TCP", Name: "http"}, {ContainerPort: 80, Protocol: "UDP"}}
		}},
		{"a strategy is one", []change{
			func(d *appsv1.Deployment) { d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType },
			func(d *appsv1.Deployment) {
				most := intstr.FromInt32(1)
				d.Spec.Strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
				d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: &most}
			},
		}, func(d *appsv1.Deployment) {
			most := intstr.FromInt32(1)
			d.Spec.Strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
			d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: &most}
		}},
		{"a condition is one", []change{
			func(d *appsv1.Deployment) {
				d.Status.Conditions = []appsv1.DeploymentCondition{{Type: "Available", Status: "True", Reason: "a"}}
			},
			func(d *appsv1.Deployment) {
				d.Status.Conditions = []appsv1.DeploymentCondition{{Type: "Available", Status: "False"}, {Type: "Progressing"}}
			},
		}, func(d *appsv1.Deployment) {
			d.Status.Conditions = []appsv1.DeploymentCondition{{Type: "Available", Status: "False"}, {Type: "Progressing"}}
		}},
		{"deleted twice", []change{
			func(d *appsv1.Deployment) { d.DeletionTimestamp = &noon },
			func(d *appsv1.Deployment) { later := metav1.NewTime(noon.Add(time.Hour)); d.DeletionTimestamp = &later },
		}, func(d *appsv1.Deployment) { d.DeletionTimestamp = &noon }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := newScheme()
			if err != nil {
				t.Fatal(err)
			}
			want := deployment()
			tt.want(want)
			for _, e := range encodings(s) {
				if diff := cmp.Diff(e.decoded(t, e.value(t, want)), mergeTyped(t, e, tt.edits)); diff != "" {
					t.Errorf("in %s: the merge is not what is wanted (-want +got):\n%s", e.name, diff)
				}
			}
		})
	}
}

// mergeTyped returns the merge of edits that saw only the first Deployment.
func mergeTyped(t *testing.T, e encoding, edits []change) runtime.Object {
	t.Helper()
	value := e.value(t, deployment())
	s, ok := kube.SchemaFor(value)
	if !ok {
		t.Fatal("no schema")
	}
	base := crdt.Parse(value, s)
	var writes []crdt.Write
	for i, edit := range edits {
		d := deployment()
		edit(d)
		p, ok := crdt.Diff(base, crdt.Parse(e.value(t, d), s))
		if !ok {
			t.Fatal("no patch")
		}
		writes = append(writes, write(byte(i+1), p))
	}
	return e.decoded(t, history(base, writes...).Value().Tree.Value())
}

// decoded returns the object that a value holds.
func (e encoding) decoded(t *testing.T, value []byte) runtime.Object {
	t.Helper()
	obj, _, err := e.Decode(value, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

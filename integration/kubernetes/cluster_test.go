package kubernetes

import (
	"context"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/causeway-sync/causeway/integration/kubernetes/harness"
)

// cluster is a control plane on a store, with nodes.
type cluster struct {
	*harness.ControlPlane
	store *harness.Store
	// name is that of the site, "" if there is one only.
	name string
}

// stepTimeout bounds each wait of a step. Controllers back off for seconds
// after they lose the API server, and wait 15 s for a lost leader.
const stepTimeout = 2 * time.Minute

// eventually waits until check returns nil.
func eventually(t *testing.T, what string, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stepTimeout)
	defer cancel()
	began := time.Now()
	var last error // before the time was up
	for {
		err := check(ctx)
		if err == nil {
			t.Logf("%s after %v", what, time.Since(began).Round(10*time.Millisecond))
			return
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v: %v", what, stepTimeout, last)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// namespace makes a namespace for a step and waits until pods may be made in it.
func (c *cluster) namespace(t *testing.T, name string) {
	t.Helper()
	object := &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: name}}
	if _, err := c.Client.CoreV1().Namespaces().Create(t.Context(), object, meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace has its service account", func(ctx context.Context) error {
		_, err := c.Client.CoreV1().ServiceAccounts(name).Get(ctx, "default", meta.GetOptions{})
		return err
	})
}

// deployment returns a Deployment of one container.
func deployment(name string, replicas int32) *apps.Deployment {
	labels := map[string]string{"app": name}
	return &apps.Deployment{
		ObjectMeta: meta.ObjectMeta{Name: name},
		Spec: apps.DeploymentSpec{
			Replicas: &replicas,
			Selector: &meta.LabelSelector{MatchLabels: labels},
			Template: core.PodTemplateSpec{
				ObjectMeta: meta.ObjectMeta{Labels: labels},
				Spec: core.PodSpec{
					Containers: []core.Container{{Name: "main", Image: "example.org/none:1"}},
				},
			},
		},
	}
}

func configMap(name, value string) *core.ConfigMap {
	return &core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: name}, Data: map[string]string{"value": value}}
}

func (c *cluster) deploy(t *testing.T, namespace string, d *apps.Deployment) {
	t.Helper()
	if _, err := c.Client.AppsV1().Deployments(namespace).Create(t.Context(), d, meta.CreateOptions{}); err != nil {
		t.Error(err)
	}
}

func (c *cluster) getDeployment(t *testing.T, namespace, name string) *apps.Deployment {
	t.Helper()
	d, err := c.Client.AppsV1().Deployments(namespace).Get(t.Context(), name, meta.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// setDeployment changes a Deployment, and tries again after a conflict.
func (c *cluster) setDeployment(t *testing.T, namespace, name string, change func(*apps.Deployment)) {
	t.Helper()
	eventually(t, name+" is changed at "+c.name, func(ctx context.Context) error {
		d := c.getDeployment(t, namespace, name)
		change(d)
		_, err := c.Client.AppsV1().Deployments(namespace).Update(ctx, d, meta.UpdateOptions{})
		return err
	})
}

func (c *cluster) createNamespace(t *testing.T, name string) error {
	_, err := c.Client.CoreV1().Namespaces().Create(t.Context(), &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: name}}, meta.CreateOptions{})
	return err
}

func (c *cluster) createAccount(t *testing.T, namespace, name string) error {
	_, err := c.Client.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &core.ServiceAccount{ObjectMeta: meta.ObjectMeta{Name: name}}, meta.CreateOptions{})
	return err
}

// createClaim makes a claim of a volume that somebody has made.
func (c *cluster) createClaim(t *testing.T, namespace, name string) error {
	none := ""
	claim := &core.PersistentVolumeClaim{
		ObjectMeta: meta.ObjectMeta{Name: name},
		Spec: core.PersistentVolumeClaimSpec{
			AccessModes:      []core.PersistentVolumeAccessMode{core.ReadWriteOnce},
			StorageClassName: &none,
			Resources:        core.VolumeResourceRequirements{Requests: core.ResourceList{core.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
	_, err := c.Client.CoreV1().PersistentVolumeClaims(namespace).Create(t.Context(), claim, meta.CreateOptions{})
	return err
}

// volume makes a PersistentVolume that a claim can be bound to.
func (c *cluster) volume(t *testing.T, name string) {
	t.Helper()
	volume := &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: name},
		Spec: core.PersistentVolumeSpec{
			Capacity:                      core.ResourceList{core.ResourceStorage: resource.MustParse("1Gi")},
			AccessModes:                   []core.PersistentVolumeAccessMode{core.ReadWriteOnce},
			PersistentVolumeReclaimPolicy: core.PersistentVolumeReclaimRetain,
			PersistentVolumeSource:        core.PersistentVolumeSource{HostPath: &core.HostPathVolumeSource{Path: "/none"}},
		},
	}
	if _, err := c.Client.CoreV1().PersistentVolumes().Create(t.Context(), volume, meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
)

// leaseNamespace is where each node's heartbeat is.
const leaseNamespace = "kube-node-lease"

// SiteLabel is the label of a node that names its site.
const SiteLabel = "site"

// leaseInterval is how often a kubelet renews its lease.
const leaseInterval = 10 * time.Second

// Kubelets does towards the API server what the kubelets of some nodes do, and
// runs nothing: it registers the nodes, renews their leases, says that they are
// ready if somebody took them for lost, reports the pods
// that are bound to them as running, and removes those that are being deleted.
// Pods on other nodes are others' business.
type Kubelets struct {
	t      testing.TB
	client kubernetes.Interface
	stop   context.CancelFunc
	done   sync.WaitGroup
	names  []string
	ips    int
}

// StartKubelets registers count nodes, which are ready when it returns, and
// serves them until the test ends or Stop. They are called node-0 and so on.
func StartKubelets(t testing.TB, client kubernetes.Interface, count int) *Kubelets {
	t.Helper()
	return StartKubeletsOf(t, client, "node", count)
}

// StartKubeletsOf does that with nodes that are called after a site.
func StartKubeletsOf(t testing.TB, client kubernetes.Interface, site string, count int) *Kubelets {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	k := &Kubelets{t: t, client: client, stop: cancel}
	t.Cleanup(k.Stop)
	for i := range count {
		name := fmt.Sprintf("%s-%d", site, i)
		k.names = append(k.names, name)
		if err := k.register(ctx, site, name); err != nil {
			t.Fatal(err)
		}
	}
	k.done.Go(func() { k.heartbeats(ctx) })
	k.done.Go(func() { k.pods(ctx) })
	return k
}

// Stop ends the service; the nodes stay registered.
func (k *Kubelets) Stop() {
	k.stop()
	k.done.Wait()
}

// register makes a node, says that it is ready and makes its lease.
func (k *Kubelets) register(ctx context.Context, site, name string) error {
	node, err := k.client.CoreV1().Nodes().Create(ctx, &core.Node{
		ObjectMeta: meta.ObjectMeta{Name: name, Labels: map[string]string{core.LabelHostname: name, SiteLabel: site}},
	}, meta.CreateOptions{})
	if err != nil {
		return err
	}
	now := meta.Now()
	node.Status = core.NodeStatus{
		Capacity: core.ResourceList{
			core.ResourceCPU: resource.MustParse("16"), core.ResourceMemory: resource.MustParse("64Gi"),
			core.ResourcePods: resource.MustParse("110"),
		},
		Conditions: []core.NodeCondition{{
			Type: core.NodeReady, Status: core.ConditionTrue, Reason: "KubeletReady",
			LastHeartbeatTime: now, LastTransitionTime: now,
		}},
		NodeInfo: core.NodeSystemInfo{KubeletVersion: version, OperatingSystem: "linux", Architecture: "amd64"},
	}
	node.Status.Allocatable = node.Status.Capacity
	if _, err := k.client.CoreV1().Nodes().UpdateStatus(ctx, node, meta.UpdateOptions{}); err != nil {
		return err
	}
	seconds, renewed := int32(40), meta.NowMicro()
	_, err = k.client.CoordinationV1().Leases(leaseNamespace).Create(ctx, &coordination.Lease{
		ObjectMeta: meta.ObjectMeta{Name: name},
		Spec:       coordination.LeaseSpec{HolderIdentity: &name, LeaseDurationSeconds: &seconds, RenewTime: &renewed},
	}, meta.CreateOptions{})
	return err
}

// heartbeats renews the leases. What fails is tried again at the next turn, as a
// kubelet does; the API server may be away.
func (k *Kubelets) heartbeats(ctx context.Context) {
	tick := time.NewTicker(leaseInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, name := range k.names {
			if err := k.renew(ctx, name); err != nil && ctx.Err() == nil {
				k.t.Logf("kubelet %s: lease: %v", name, err)
			}
			if err := k.ready(ctx, name); err != nil && ctx.Err() == nil {
				k.t.Logf("kubelet %s: node: %v", name, err)
			}
		}
	}
}

func (k *Kubelets) renew(ctx context.Context, name string) error {
	leases := k.client.CoordinationV1().Leases(leaseNamespace)
	lease, err := leases.Get(ctx, name, meta.GetOptions{})
	if err != nil {
		return err
	}
	now := meta.NowMicro()
	lease.Spec.RenewTime = &now
	_, err = leases.Update(ctx, lease, meta.UpdateOptions{})
	return err
}

// ready says again that a node is ready if somebody took it for lost.
func (k *Kubelets) ready(ctx context.Context, name string) error {
	node, err := k.client.CoreV1().Nodes().Get(ctx, name, meta.GetOptions{})
	if err != nil {
		return err
	}
	lost := false
	for i := range node.Status.Conditions {
		if c := &node.Status.Conditions[i]; c.Status == core.ConditionUnknown {
			lost = true
			c.Status, c.Reason = core.ConditionFalse, "KubeletKnows"
			if c.Type == core.NodeReady {
				c.Status, c.Reason = core.ConditionTrue, "KubeletReady"
			}
			c.LastHeartbeatTime, c.LastTransitionTime = meta.Now(), meta.Now()
		}
	}
	if !lost {
		return nil
	}
	_, err = k.client.CoreV1().Nodes().UpdateStatus(ctx, node, meta.UpdateOptions{})
	return err
}

// errEnded is that a watch was ended by the API server.
var errEnded = errors.New("the watch has ended")

// pods lists and watches all pods, and starts over whenever that fails.
func (k *Kubelets) pods(ctx context.Context) {
	for ctx.Err() == nil {
		err := k.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		k.t.Logf("kubelets: starting over: %v", err)
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (k *Kubelets) follow(ctx context.Context) error {
	pods := k.client.CoreV1().Pods("")
	list, err := pods.List(ctx, meta.ListOptions{})
	if err != nil {
		return err
	}
	for i := range list.Items {
		if err := k.pod(ctx, &list.Items[i]); err != nil {
			return err
		}
	}
	w, err := pods.Watch(ctx, meta.ListOptions{ResourceVersion: list.ResourceVersion, AllowWatchBookmarks: true})
	if err != nil {
		return err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		switch event.Type {
		case watch.Added, watch.Modified:
			if err := k.pod(ctx, event.Object.(*core.Pod)); err != nil {
				return err
			}
		case watch.Error:
			return apierrors.FromObject(event.Object)
		}
	}
	return errEnded
}

// pod brings one pod on: bound ones run, deleted ones go.
func (k *Kubelets) pod(ctx context.Context, pod *core.Pod) error {
	pods := k.client.CoreV1().Pods(pod.Namespace)
	var err error
	switch {
	case !slices.Contains(k.names, pod.Spec.NodeName):
	case pod.DeletionTimestamp != nil:
		now := int64(0)
		err = pods.Delete(ctx, pod.Name, meta.DeleteOptions{
			GracePeriodSeconds: &now, Preconditions: meta.NewUIDPreconditions(string(pod.UID)),
		})
	case pod.Status.Phase == core.PodPending:
		run := pod.DeepCopy()
		k.ips++
		k.run(run, fmt.Sprintf("10.1.%d.%d", k.ips>>8&255, k.ips&255))
		_, err = pods.UpdateStatus(ctx, run, meta.UpdateOptions{})
	case pod.Status.Phase == core.PodRunning && !isReady(pod):
		run := pod.DeepCopy()
		run.Status.Conditions = runConditions(pod.Status.Conditions)
		_, err = pods.UpdateStatus(ctx, run, meta.UpdateOptions{})
	}
	// A pod that was changed or removed meanwhile comes again, or not.
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// run fills in the status that a kubelet reports of a pod that runs.
func (k *Kubelets) run(pod *core.Pod, ip string) {
	now := meta.Now()
	pod.Status.Phase = core.PodRunning
	pod.Status.StartTime = &now
	pod.Status.PodIP, pod.Status.PodIPs = ip, []core.PodIP{{IP: ip}}
	pod.Status.Conditions = runConditions(pod.Status.Conditions)
	started := true
	for _, c := range pod.Spec.Containers {
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, core.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image, ContainerID: "none://" + c.Name, Ready: true, Started: &started,
			State: core.ContainerState{Running: &core.ContainerStateRunning{StartedAt: now}},
		})
	}
}

// runConditions are those of a pod that runs.
func runConditions(before []core.PodCondition) (conditions []core.PodCondition) {
	for _, c := range before {
		if c.Type == core.PodScheduled {
			conditions = append(conditions, c)
		}
	}
	for _, kind := range []core.PodConditionType{core.PodInitialized, core.ContainersReady, core.PodReady} {
		conditions = append(conditions, core.PodCondition{Type: kind, Status: core.ConditionTrue, LastTransitionTime: meta.Now()})
	}
	return conditions
}

// isReady reports whether nobody has said that a pod which runs is not ready, as
// the controller manager says of those on lost nodes.
func isReady(pod *core.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == core.PodReady {
			return c.Status == core.ConditionTrue
		}
	}
	return false
}

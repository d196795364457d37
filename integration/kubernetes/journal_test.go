package kubernetes

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// journal is what happened at the sites of a test, in order.
type journal struct {
	mu    sync.Mutex
	began time.Time
	lines []string
	// unready counts the times that a node became not ready, evicted the pods of
	// the namespace "steady" that were deleted.
	unready, evicted int
	// renamed counts objects by resource of which another took the place, as a watcher saw it.
	renamed map[string]int
	stops   []func()
}

// stop ends what was observed.
func (j *journal) stop() {
	for _, stop := range j.stops {
		stop()
	}
}

func newJournal() *journal { return &journal{began: time.Now(), renamed: make(map[string]int)} }

func (j *journal) note(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.noteLocked(format, args...)
}

func (j *journal) noteLocked(format string, args ...any) {
	j.lines = append(j.lines, fmt.Sprintf("%6.1fs ", time.Since(j.began).Seconds())+fmt.Sprintf(format, args...))
}

// counts returns the times that a node became not ready and that a steady pod was deleted.
func (j *journal) counts() (unready, evicted int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.unready, j.evicted
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines, "\n")
}

// leaderLeases are the leases of those who lead.
var leaderLeases = []string{"kube-controller-manager", "kube-scheduler"}

// observe follows a site's API server until the test ends, or stop, and notes who leads,
// which nodes are ready, and objects that come, go, or are replaced by others of their name.
func (j *journal) observe(t *testing.T, c *cluster) {
	t.Helper()
	factory := informers.NewSharedInformerFactory(c.Client, 0)
	watched := map[string]cache.SharedIndexInformer{
		"lease": factory.Coordination().V1().Leases().Informer(), "node": factory.Core().V1().Nodes().Informer(),
		"pod": factory.Core().V1().Pods().Informer(), "replicaset": factory.Apps().V1().ReplicaSets().Informer(),
		"deployment": factory.Apps().V1().Deployments().Informer(), "namespace": factory.Core().V1().Namespaces().Informer(),
		"claim": factory.Core().V1().PersistentVolumeClaims().Informer(), "serviceaccount": factory.Core().V1().ServiceAccounts().Informer(),
		"configmap": factory.Core().V1().ConfigMaps().Informer(),
	}
	for resource, informer := range watched {
		f := &followed{journal: j, site: c.name, resource: resource, uids: make(map[string]types.UID), state: make(map[string]string)}
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { f.put(object) },
			UpdateFunc: func(_, object any) { f.put(object) },
			DeleteFunc: func(object any) { f.gone(object) },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	end := sync.OnceFunc(func() { close(stop); factory.Shutdown() })
	t.Cleanup(end)
	j.stops = append(j.stops, end)
	factory.Start(stop)
	factory.WaitForCacheSync(stop)
}

// followed is what a site shows of one resource. Its methods are called by one goroutine.
type followed struct {
	*journal
	site, resource string
	uids           map[string]types.UID // the last of each name, also of those gone
	state          map[string]string    // what of an object is worth a line
}

func (f *followed) put(object any) {
	m, err := meta.Accessor(object)
	if err != nil {
		panic(err)
	}
	key := m.GetNamespace() + "/" + m.GetName()
	before, known := f.state[key]
	state := ""
	switch o := object.(type) {
	case *coordination.Lease:
		if o.Namespace != "kube-system" || o.Spec.HolderIdentity == nil {
			return
		}
		state = "held by " + *o.Spec.HolderIdentity
	case *core.Node:
		for _, c := range o.Status.Conditions {
			if c.Type == core.NodeReady {
				state = "ready: " + string(c.Status)
			}
		}
		for _, taint := range o.Spec.Taints {
			state += ", " + taint.ToString()
		}
	case *core.Pod:
		if state = string(o.Status.Phase) + " on " + o.Spec.NodeName; o.DeletionTimestamp != nil {
			state = "being deleted"
		}
	case *core.Namespace:
		state = string(o.Status.Phase)
	case *core.PersistentVolumeClaim:
		state = string(o.Status.Phase) + " to " + o.Spec.VolumeName
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if uid, was := f.uids[key]; was && uid != m.GetUID() {
		f.renamed[f.resource]++
		f.noteLocked("%s: %s %s is another: %s was %s", f.site, f.resource, key, m.GetUID(), uid)
	}
	f.uids[key], f.state[key] = m.GetUID(), state
	if before == state && known || f.resource == "configmap" || f.resource == "serviceaccount" {
		return
	}
	if f.resource == "node" && known && strings.HasPrefix(before, "ready: True") && !strings.HasPrefix(state, "ready: True") {
		f.unready++
	}
	if f.resource == "pod" && m.GetNamespace() == "steady" && state == "being deleted" {
		f.evicted++
	}
	f.noteLocked("%s: %s %s %s", f.site, f.resource, key, state)
}

func (f *followed) gone(object any) {
	if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = unknown.Obj
	}
	m, err := meta.Accessor(object)
	if err != nil {
		panic(err)
	}
	key := m.GetNamespace() + "/" + m.GetName()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.resource == "pod" && m.GetNamespace() == "steady" && f.state[key] != "being deleted" {
		f.evicted++
	}
	delete(f.state, key)
	f.noteLocked("%s: %s %s gone", f.site, f.resource, key)
}

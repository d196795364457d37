package kubernetes

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// testAPIServerKilled ends kube-apiserver with SIGKILL while a client writes,
// and runs it again.
func testAPIServerKilled(t *testing.T, c *cluster) {
	c.survive(t, "apiserver-killed", func() {
		c.APIServer.Kill()
		c.APIServer.Start()
		c.WaitReady()
	})
}

// testNodeKilled ends the Causeway node with SIGKILL under the control plane
// while a client writes, and runs it again, three times.
func testNodeKilled(t *testing.T, c *cluster) {
	f := c.survive(t, "node-killed", func() {
		for range 3 {
			c.store.Kill()
			c.store.Start()
			c.WaitReady()
			time.Sleep(time.Second) // of writes, before the next
		}
	})
	// The node kept its history, so the API server's caches went on from where
	// they were and its clients noticed nothing.
	if f.listed > 0 {
		t.Errorf("the watch expired %d times", f.listed)
	}
}

// survive lets crash run among writes and checks that no acknowledged write is
// lost, that a watch that resumes where it was cut off misses nothing, and that
// the controllers go on.
func (c *cluster) survive(t *testing.T, namespace string, crash func()) *follower {
	t.Helper()
	c.namespace(t, namespace)
	if _, err := c.Client.AppsV1().Deployments(namespace).Create(t.Context(), deployment("web", 2), meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.running(t, namespace, "web", 2)
	list, err := c.Client.CoreV1().ConfigMaps(namespace).List(t.Context(), meta.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w := &writer{client: c, namespace: namespace}
	f := &follower{client: c, namespace: namespace, version: list.ResourceVersion, seen: make(map[string]int)}
	var work sync.WaitGroup
	work.Go(func() { w.run(ctx) })
	work.Go(func() {
		within, cancel := context.WithTimeout(t.Context(), stepTimeout)
		defer cancel()
		if err := f.run(within); err != nil {
			t.Error(err)
		}
	})
	time.Sleep(500 * time.Millisecond) // let them get going; nothing depends on it
	crash()
	before := w.count()
	eventually(t, "the writer goes on", func(context.Context) error {
		if n := w.count(); n < before+20 {
			return fmt.Errorf("%d writes before, %d now", before, n)
		}
		return nil
	})
	stop()

	// The last write of all ends the follower.
	eventually(t, "the last object is written", func(ctx context.Context) error {
		_, err := c.Client.CoreV1().ConfigMaps(namespace).Create(ctx, configMap(lastName, ""), meta.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
	work.Wait()
	c.kept(t, namespace, w, f)
	c.scale(t, namespace, "web", 4)
	if n := c.Controllers.Restarts() + c.Scheduler.Restarts(); n > 0 {
		t.Logf("kube-controller-manager and kube-scheduler were restarted %d times in all", n)
	}
	return f
}

// kept checks the acknowledged writes against the store and what was watched.
func (c *cluster) kept(t *testing.T, namespace string, w *writer, f *follower) {
	t.Helper()
	list, err := c.Client.CoreV1().ConfigMaps(namespace).List(t.Context(), meta.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stored := make(map[string]bool)
	for _, m := range list.Items {
		stored[m.Name] = true
	}
	for _, name := range w.acknowledged {
		if !stored[name] {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	for name := range stored {
		if f.seen[name] == 0 && name != "kube-root-ca.crt" {
			t.Errorf("the watch missed %s", name)
		}
	}
	for name, n := range f.seen {
		if n > 1 {
			t.Errorf("the watch sent %s %d times", name, n)
		}
	}
	t.Logf("%d writes acknowledged, %d failed, %d objects stored, the watch resumed %d times and listed %d times",
		len(w.acknowledged), w.failed, len(stored), f.resumed, f.listed)
}

// lastName is the object after which a follower ends.
const lastName = "zz-last"

// writer creates one ConfigMap after the other and notes what was acknowledged.
type writer struct {
	client    *cluster
	namespace string

	mu           sync.Mutex
	acknowledged []string
	failed       int
}

func (w *writer) run(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		name := fmt.Sprintf("m%05d", i)
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := w.client.Client.CoreV1().ConfigMaps(w.namespace).Create(once, configMap(name, ""), meta.CreateOptions{})
		cancel()
		w.mu.Lock()
		if err == nil {
			w.acknowledged = append(w.acknowledged, name)
		} else {
			w.failed++
		}
		w.mu.Unlock()
		time.Sleep(10 * time.Millisecond) // of which a hundred writes a second come at most
	}
}

func (w *writer) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acknowledged)
}

// follower watches a namespace's ConfigMaps and, cut off, resumes from the last
// version that it saw. If that has expired, as all have that a restarted API
// server did not read itself, it lists, as every client must.
type follower struct {
	client    *cluster
	namespace string
	version   string
	seen      map[string]int // how often each name was added
	resumed   int
	listed    int
}

// run follows until lastName is seen.
func (f *follower) run(ctx context.Context) error {
	maps := f.client.Client.CoreV1().ConfigMaps(f.namespace)
	for {
		w, err := maps.Watch(ctx, meta.ListOptions{ResourceVersion: f.version})
		if err == nil {
			err = f.follow(w)
			w.Stop()
		}
		switch {
		case f.seen[lastName] > 0:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("the watch did not see the last object: %v", err)
		case apierrors.IsResourceExpired(err):
			if err := f.list(ctx); err == nil {
				f.listed++
			}
		default:
			f.resumed++
		}
		time.Sleep(100 * time.Millisecond) // the API server may be away
	}
}

// follow takes in events until lastName is seen or the watch ends.
func (f *follower) follow(w watch.Interface) error {
	for event := range w.ResultChan() {
		m, ok := event.Object.(*core.ConfigMap)
		if !ok {
			return apierrors.FromObject(event.Object)
		}
		f.version = m.ResourceVersion
		if event.Type == watch.Added {
			f.seen[m.Name]++
		}
		if m.Name == lastName {
			return nil
		}
	}
	return nil
}

func (f *follower) list(ctx context.Context) error {
	list, err := f.client.Client.CoreV1().ConfigMaps(f.namespace).List(ctx, meta.ListOptions{})
	if err != nil {
		return err
	}
	for _, m := range list.Items {
		if f.seen[m.Name] == 0 {
			f.seen[m.Name]++
		}
	}
	f.version = list.ResourceVersion
	return nil
}

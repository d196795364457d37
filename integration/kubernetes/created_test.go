package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
)

// twin is an object that two sites make without seeing each other.
type twin struct {
	resource schema.GroupVersionResource
	key      string
	object   string // JSON; the author's name is in an annotation besides
}

var twins = []twin{
	{schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, "/registry/deployments/merge/twin",
		`{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"twin","namespace":"merge"},"spec":{"selector":{"matchLabels":{"a":"b"}},
		"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"main","image":"none"}]}}}}`},
	{schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}, "/registry/persistentvolumeclaims/merge/twin",
		`{"kind":"PersistentVolumeClaim","apiVersion":"v1","metadata":{"name":"twin","namespace":"merge"},
		"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}`},
	{schema.GroupVersionResource{Version: "v1", Resource: "serviceaccounts"}, "/registry/serviceaccounts/merge/twin",
		`{"kind":"ServiceAccount","apiVersion":"v1","metadata":{"name":"twin","namespace":"merge"}}`},
	{schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, "/registry/namespaces/twin",
		`{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"twin"}}`},
	{schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
		"/registry/apiextensions.k8s.io/customresourcedefinitions/twins.example.org",
		`{"kind":"CustomResourceDefinition","apiVersion":"apiextensions.k8s.io/v1","metadata":{"name":"twins.example.org"},"spec":{"group":"example.org",
		"scope":"Namespaced","names":{"plural":"twins","kind":"Twin"},"versions":[{"name":"v1","served":true,"storage":true,
		"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]}}`},
}

func (w twin) parsed(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	return parsed(t, w.object)
}

// client returns the requests of the object's resource.
func (w twin) client(t *testing.T, c *cluster) dynamic.ResourceInterface {
	t.Helper()
	if namespace := w.parsed(t).GetNamespace(); namespace != "" {
		return c.Dynamic.Resource(w.resource).Namespace(namespace)
	}
	return c.Dynamic.Resource(w.resource)
}

func (w twin) get(t *testing.T, c *cluster) *unstructured.Unstructured {
	t.Helper()
	o, err := w.client(t, c).Get(t.Context(), w.parsed(t).GetName(), get)
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	return o
}

// author is the annotation that names who made an object.
const author = "example.org/author"

// created are the scenarios of objects of one name that two sites make: one of
// them is there afterwards, at all sites, with nothing of the other in it.
func created() (all []scenario) {
	for _, w := range twins {
		make := func(t *testing.T, c *cluster) {
			o := w.parsed(t)
			o.SetAnnotations(map[string]string{author: c.name, c.name: ""})
			if _, err := w.client(t, c).Create(t.Context(), o, create); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		var first *unstructured.Unstructured
		all = append(all, scenario{
			name:  "two " + w.resource.Resource + " of one name",
			keys:  []string{w.key},
			edits: [3]func(*testing.T, *cluster){make, make},
			// Whole objects, of which one is shown. The sites that see their definition replaced write its status.
			listed:  []string{"hidden-life: site-a, site-b"},
			brief:   annotationOf(author),
			settles: w.resource.Group == "apiextensions.k8s.io",
			check: func(t *testing.T, c *cluster) {
				o := w.get(t, c)
				if first == nil {
					first = o
				}
				if o.GetUID() != first.GetUID() {
					t.Errorf("%s: uid %s, elsewhere %s", c.name, o.GetUID(), first.GetUID())
				}
				if a := o.GetAnnotations(); len(a) != 2 || a[a[author]] != "" {
					t.Errorf("%s: made of two: annotations %v", c.name, a)
				}
			},
			then: func(t *testing.T, c *cluster) {
				eventually(t, "it is updated", func(ctx context.Context) error { // others may write its status
					o := w.get(t, c)
					o.SetLabels(map[string]string{"after": "all"})
					_, err := w.client(t, c).Update(ctx, o, put)
					return err
				})
			},
		})
	}
	return all
}

// watched is what watchers of the twins see at each site, from before the cut on.
type watched struct {
	mu     sync.Mutex
	events map[string][]event   // by site and key
	made   map[string]types.UID // by site and key: what the site made
}

type event struct {
	kind watch.EventType
	uid  types.UID
}

// watchAll follows the twins' resources at all sites until the test ends.
func watchAll(t *testing.T, at []*cluster) *watched {
	t.Helper()
	w := &watched{events: make(map[string][]event), made: make(map[string]types.UID)}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	t.Cleanup(work.Wait)
	t.Cleanup(cancel)
	for _, c := range at {
		for _, twin := range twins {
			list, err := twin.client(t, c).List(ctx, meta.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			follow, err := twin.client(t, c).Watch(ctx, meta.ListOptions{ResourceVersion: list.GetResourceVersion()})
			if err != nil {
				t.Fatal(err)
			}
			name := twin.parsed(t).GetName()
			work.Go(func() {
				for e := range follow.ResultChan() {
					o, ok := e.Object.(*unstructured.Unstructured)
					if !ok || o.GetName() != name {
						continue
					}
					w.mu.Lock()
					w.events[c.name+twin.key] = append(w.events[c.name+twin.key], event{e.Type, o.GetUID()})
					w.mu.Unlock()
				}
			})
		}
	}
	return w
}

// note remembers what each site has made.
func (w *watched) note(t *testing.T, at []*cluster) {
	t.Helper()
	for _, c := range at[:2] {
		for _, twin := range twins {
			w.made[c.name+twin.key] = twin.get(t, c).GetUID()
		}
	}
}

// check: who watches at the site whose object was lost is told that it is
// deleted, and then of the other. Nobody is told that an object became another.
func (w *watched) check(t *testing.T, at []*cluster) {
	for _, c := range at {
		for _, twin := range twins {
			id := c.name + twin.key
			winner, own := twin.get(t, c).GetUID(), w.made[id]
			deadline := time.Now().Add(stepTimeout)
			for {
				w.mu.Lock()
				events := slices.Clone(w.events[id])
				w.mu.Unlock()
				err := told(events, own, winner)
				if err == nil {
					break
				}
				if time.Now().After(deadline) || len(events) > 0 && events[len(events)-1].uid == winner {
					t.Errorf("%s at %s: %v", twin.key, c.name, err)
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
		}
	}
}

// told checks the events of one name: lives follow each other, each from ADDED to DELETED, and the last is the winner's.
func told(events []event, own, winner types.UID) error {
	var alive types.UID
	for _, e := range events {
		switch {
		case e.kind == watch.Added && alive == "":
			alive = e.uid
		case e.kind == watch.Modified && alive == e.uid:
		case e.kind == watch.Deleted && alive == e.uid:
			alive = ""
		default:
			return fmt.Errorf("%s of %s while there is %q: %v", e.kind, e.uid, alive, events)
		}
	}
	if alive != winner {
		return fmt.Errorf("there is %q at last, want %s: %v", alive, winner, events)
	}
	if own != "" && !slices.Contains(events, event{watch.Added, own}) {
		return fmt.Errorf("its own %s was never added: %v", own, events)
	}
	return nil
}

package crdt

import (
	"slices"
	"strings"
)

// An overlay is a container with named children, and what a patch does to them.
type overlay struct {
	n    *node // nil: a collection without members
	in   kind
	c    context
	base chunks
	many bool // many names will be looked for

	changed []changedKid // children that n has
	fresh   []kid        // others
	placed  []orderEvent // places of new children, some of which may not come to be

	reorders bool
	order    []string
}

type changedKid struct {
	at int
	kid
}

// put sets or removes the child at a place of the base; -1 is a new one.
func (o *overlay) put(at int, k kid) {
	if at >= 0 {
		o.changed = append(o.changed, changedKid{at, k})
	} else {
		o.fresh = append(o.fresh, k)
	}
}

// find returns the place of a child in the base, -1 if it has none of that name.
func (o *overlay) find(key string) int {
	var at int
	var found bool
	switch n := o.n; {
	case n == nil:
	case n.ascending:
		at, found = o.base.search(key, strings.Compare)
	case o.in == mapping && !o.c.p.inner().json:
		at, found = o.base.search(key, compareFields)
	case n.index != nil || o.many && n.m.wide != nil:
		return n.find(key)
	default:
		return o.base.find(key)
	}
	if !found {
		return -1
	}
	return at
}

// result returns the container that comes of it all.
func (o *overlay) result() *node {
	if len(o.changed)+len(o.fresh) == 0 && !o.reorders {
		return o.n
	}
	if o.in == mapping && !o.c.p.inner().json {
		compare := strings.Compare
		if o.c.p.isRecord() {
			compare = compareFields
		}
		return o.base.edited(o.by(o.base, compare), o.in, o.c).container(o.in, nil, o.c)
	}
	places := o.arranged()
	names := o.names()
	var order chunks
	if o.reorders {
		order = o.reordered(places)
	} else {
		order = o.base.edited(o.behind(places), o.in, o.c)
	}
	return order.container(o.in, names, o.c)
}

// by returns the splices that make the children of what the base has, in the
// order of compare, with new ones where that puts them.
func (o *overlay) by(base chunks, compare func(a, b string) int) []splice {
	splices := splicer{}
	for _, k := range o.changed {
		at, _ := base.search(k.key, compare)
		splices.set(at, k.n)
	}
	fresh := slices.SortedFunc(slices.Values(o.fresh), func(a, b kid) int { return compare(a.key, b.key) })
	for _, k := range fresh {
		at, _ := base.search(k.key, compare)
		splices.insert(at-1, k)
	}
	return splices.list()
}

// names returns the children by name, if that is known of a wide container.
func (o *overlay) names() chunks {
	if o.n == nil || o.n.m.wide == nil {
		return nil
	}
	names := o.n.m.wide.names.Load()
	if o.n.ascending {
		names = &o.base
	}
	if names == nil {
		return nil
	}
	return names.edited(o.by(*names, strings.Compare), o.in, o.c)
}

// arranged returns the places of the new children in order, among those of the
// base that they stand between: each child of the base that one follows, and the
// next one. The others do not matter to them (docs/merge.md section 5).
func (o *overlay) arranged() []string {
	if len(o.placed) == 0 {
		return nil
	}
	var names []string // those that the author saw and that decide a place
	sorted := o.n.sorted(o.c)
	for i := range o.placed {
		e := &o.placed[i]
		if e.how == run && !e.front && o.find(e.after) >= 0 {
			names = append(names, e.after)
		}
		if at, _ := sorted.search(e.keys[0], strings.Compare); at > 0 {
			names = append(names, sorted.at(at-1).key)
		}
	}
	slices.Sort(names)
	placed := newPlaces(o.placed, slices.Compact(names))
	events := make([]orderEvent, 0, len(placed)+1)
	if count := o.base.count(); count > 0 {
		near := []int{0}
		for i := range placed {
			if e := &placed[i]; !e.front {
				if at := o.find(e.after); at >= 0 {
					near = append(near, at, min(at+1, count-1))
				}
			}
		}
		slices.Sort(near)
		base := orderEvent{front: true}
		if o.in == mapping && o.n.ascending {
			base.how = each
		}
		for _, at := range slices.Compact(near) {
			base.keys = append(base.keys, o.base.at(at).key)
		}
		events = append(events, base)
	}
	for i := range placed {
		placed[i].write = 1
	}
	return arrange(append(events, placed...), nil, oneAfterOther{})
}

// behind returns the splices that make the children, new ones at their places.
func (o *overlay) behind(places []string) []splice {
	splices := splicer{}
	for _, k := range o.changed {
		splices.set(k.at, k.n)
	}
	fresh := o.freshByName()
	at := -1
	for _, name := range places {
		if k, ok := fresh[name]; ok {
			if k.n != nil {
				splices.insert(at, k)
			}
		} else {
			at = o.find(name)
		}
	}
	return splices.list()
}

// freshByName returns the new children; without a node where none came to be.
func (o *overlay) freshByName() map[string]kid {
	fresh := make(map[string]kid, len(o.placed))
	for i := range o.placed {
		fresh[o.placed[i].keys[0]] = kid{}
	}
	for _, k := range o.fresh {
		fresh[k.key] = k
	}
	return fresh
}

// reordered returns the children in the order that the patch says: those it
// names, then the others that its author saw, by name; each followed by the new
// ones behind it that it does not name.
func (o *overlay) reordered(places []string) chunks {
	fresh := o.freshByName()
	sorted := o.n.sorted(o.c)
	named := make(map[string]int, len(o.order)) // place in sorted, -1 of new ones
	var leaders []string
	for _, key := range o.order {
		if _, ok := named[key]; ok {
			continue
		}
		at, seen := sorted.search(key, strings.Compare)
		if _, isNew := fresh[key]; isNew {
			at = -1
		} else if !seen {
			continue
		}
		named[key] = at
		leaders = append(leaders, key)
	}
	var first []kid
	following := make(map[string][]kid)
	leader, led := "", false
	for _, name := range places {
		k, isNew := fresh[name]
		if _, ok := named[name]; ok || !isNew {
			leader, led = name, true
		} else if k.n != nil && led {
			following[leader] = append(following[leader], k)
		} else if k.n != nil {
			first = append(first, k)
		}
	}
	changed := make(map[string]*node, len(o.changed))
	splices := splicer{}
	for _, k := range o.changed {
		changed[k.key] = k.n
		at, _ := sorted.search(k.key, strings.Compare)
		splices.set(at, k.n)
	}
	splices.insert(-1, first...)
	for _, key := range leaders {
		k := fresh[key]
		if at := named[key]; at >= 0 {
			k = *sorted.at(at)
			if n, ok := changed[key]; ok {
				k.n = n
			}
			splices.set(at, nil)
		}
		if k.n != nil {
			splices.insert(-1, k)
		}
		splices.insert(-1, following[key]...)
		delete(following, key)
	}
	for key, kids := range following {
		at, _ := sorted.search(key, strings.Compare)
		splices.insert(at, kids...)
	}
	return sorted.edited(splices.list(), o.in, o.c)
}

package validation

import (
	"maps"
	"math/rand"
	"reflect"
	"slices"
)

// drawer changes trees of JSON at random, into what other trees of their kind have.
type drawer struct{ r *rand.Rand }

// change changes something in a tree, a member of an object for whose value the
// others have donors. It returns the value that it is to have, absent if nil.
func (d drawer) change(v any, donors []any) any {
	switch v := v.(type) {
	case map[string]any:
		return d.changeObject(v, donors)
	case []any:
		return d.changeArray(v, donors)
	}
	if len(donors) > 0 && d.r.Intn(4) > 0 {
		return clone(donors[d.r.Intn(len(donors))])
	}
	switch v := v.(type) {
	case float64:
		return v + float64(1-2*d.r.Intn(2))
	case string:
		return v + string(rune('a'+d.r.Intn(3)))
	case bool:
		return !v
	}
	return v
}

func (d drawer) changeObject(o map[string]any, donors []any) any {
	names := maps.Clone(o)
	for _, donor := range donors {
		if other, ok := donor.(map[string]any); ok {
			for name, v := range other {
				if v != nil {
					names[name] = v
				}
			}
		}
	}
	if len(names) == 0 {
		return o
	}
	name := d.pick(slices.Sorted(maps.Keys(names)))
	var values []any
	for _, donor := range donors {
		if other, ok := donor.(map[string]any); ok && other[name] != nil {
			values = append(values, other[name])
		}
	}
	have, ok := o[name]
	switch {
	case !ok:
		o[name] = clone(values[d.r.Intn(len(values))])
	case d.r.Intn(8) == 0:
		delete(o, name)
	case d.r.Intn(8) == 0 && len(values) > 0:
		o[name] = clone(values[d.r.Intn(len(values))])
	default:
		o[name] = d.change(have, values)
	}
	return o
}

func (d drawer) changeArray(a []any, donors []any) any {
	items := slices.Clone(a)
	for _, donor := range donors {
		if other, ok := donor.([]any); ok {
			items = append(items, other...)
		}
	}
	switch i := d.r.Intn(max(1, len(a))); d.r.Intn(6) {
	case 0: // take one
		if len(items) > 0 {
			return slices.Insert(a, d.r.Intn(len(a)+1), clone(items[d.r.Intn(len(items))]))
		}
	case 1:
		if len(a) > 0 {
			return slices.Delete(a, i, i+1)
		}
	case 2:
		if j := d.r.Intn(max(1, len(a))); i != j {
			a[i], a[j] = a[j], a[i]
		}
	case 3: // take a new one: changed, perhaps in what identifies it
		if len(items) > 0 {
			return append(a, d.change(clone(items[d.r.Intn(len(items))]), items))
		}
	default:
		if len(a) > 0 {
			a[i] = d.change(a[i], items)
		}
	}
	return a
}

func (d drawer) pick(names []string) string { return names[d.r.Intn(len(names))] }

// edited changes what a user may change: all but what names the object, and
// what other strategies are for. Part is the field that is changed, or "". What
// is changed is at or below the path focus where the object has it.
func (d drawer) edited(tree map[string]any, examples []map[string]any, part string, parts, focus []string) map[string]any {
	tree = clone(tree).(map[string]any)
	for range 1 + d.r.Intn(4) {
		at, donors := tree, make([]any, len(examples))
		for i, e := range examples {
			donors[i] = e
		}
		name := part
		if name == "" {
			name = d.pick(changeable(tree, examples, parts))
		}
		if len(focus) > 0 && (part == "" || part == focus[0]) {
			for _, name := range focus[:len(focus)-1] {
				at, donors = child(at, name), members(donors, name)
			}
			name = focus[len(focus)-1]
		}
		if name == "metadata" {
			d.metadata(child(at, name))
			continue
		}
		values := members(donors, name)
		switch have, ok := at[name]; {
		case ok:
			at[name] = d.change(have, values)
		case len(values) > 0:
			at[name] = clone(values[d.r.Intn(len(values))])
		}
	}
	return tree
}

// changeable returns the fields of an object that a user changes; spec more often.
func changeable(tree map[string]any, examples []map[string]any, parts []string) []string {
	names := make(map[string]bool)
	for _, o := range append(slices.Clone(examples), tree) {
		for name := range o {
			names[name] = name != "apiVersion" && name != "kind" && !slices.Contains(parts, name)
		}
	}
	var sorted []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if names[name] {
			sorted = append(sorted, name)
		}
		if names[name] && name == "spec" {
			sorted = append(sorted, name, name)
		}
	}
	return sorted
}

// focus draws the path of something in an object that two may change at one time.
func (d drawer) focus(tree map[string]any) (path []string) {
	at := tree
	for range 1 + d.r.Intn(5) {
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(at)), func(name string) bool {
			return len(path) == 0 && (name == "apiVersion" || name == "kind" || name == "metadata")
		})
		if len(names) == 0 {
			return path
		}
		path = append(path, d.pick(names))
		next, ok := at[path[len(path)-1]].(map[string]any)
		if !ok {
			return path
		}
		at = next
	}
	return path
}

// metadata changes one of those that users change.
func (d drawer) metadata(m map[string]any) {
	letter := string(rune('a' + d.r.Intn(3)))
	switch d.r.Intn(4) {
	case 0:
		child(m, "labels")[letter] = letter
	case 1:
		child(m, "annotations")[letter] = letter
	case 2:
		have, _ := m["finalizers"].([]any)
		if len(have) > 0 && d.r.Intn(2) == 0 {
			m["finalizers"] = have[1:]
		} else if !slices.Contains(have, any("example.org/"+letter)) {
			m["finalizers"] = append(have, "example.org/"+letter)
		}
	default:
		have, _ := m["ownerReferences"].([]any)
		controller := d.r.Intn(8) == 0
		m["ownerReferences"] = append(have, map[string]any{"apiVersion": "apps/v1", "kind": "Thing", "name": letter, "uid": letter, "controller": controller})
	}
}

// members returns what objects have by a name.
func members(objects []any, name string) (values []any) {
	for _, o := range objects {
		if o, ok := o.(map[string]any); ok && o[name] != nil {
			values = append(values, o[name])
		}
	}
	return values
}

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

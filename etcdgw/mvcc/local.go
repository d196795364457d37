package mvcc

// aside is the value of a key in the namespace that it does not show.
type aside struct {
	value []byte
	lease int64 // of a local value: the lease it was put under, 0 if none
}

// replicated returns the value of it in the replicated namespace.
func (it *item) replicated() (value []byte, ok bool) {
	switch {
	case it.front.origin == nil:
		return nil, false
	case it.local:
		return it.other.value, true
	default:
		return it.newest.kv.Value, true
	}
}

// namespace returns the namespace that a write of it is in: the one shown, and
// that of policy while there is none.
func (v *View) namespace(it *item) (local bool) {
	if it.visible() == nil && it.other == nil {
		it.local = v.verdicts.isLocal(it.key())
	}
	return it.local
}

// show makes it show the namespace, and reports whether it shows another value
// for that, or none, at revision rev. A local value whose lease has ended meanwhile
// is gone. Called with mu held.
func (v *View) show(it *item, local bool, rev int64) bool {
	if it.local == local {
		return false
	}
	shown, next := it.visible(), it.other
	if it.other = nil; shown != nil {
		it.other = &aside{value: shown.kv.Value, lease: shown.kv.Lease}
	}
	if next != nil && next.lease != 0 && !v.leases.granted(next.lease) {
		next = nil
	}
	switch it.local = local; {
	case next != nil:
		v.setValue(it, rev, next.value, next.lease)
	case shown != nil:
		v.setAbsent(it, rev)
	default:
		return false
	}
	return true
}

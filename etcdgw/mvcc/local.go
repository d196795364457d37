package mvcc

// aside is the value of a key in the namespace that it does not show.
type aside struct {
	value []byte
	lease *lease // that this node put it under, ended perhaps by now; nil if none
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
// for that, or none, at revision rev. If its lease has ended meanwhile, a local value
// is gone; a replicated one stays, without a lease, since only a write could delete it
// everywhere. Called with mu held.
func (v *View) show(it *item, local bool, rev int64) bool {
	if it.local == local {
		return false
	}
	shown, next := it.visible(), it.other
	if it.other = nil; shown != nil {
		it.other = &aside{shown.kv.Value, v.leases.head[shown.kv.Lease]}
	}
	var lease int64
	if next != nil && next.lease != nil {
		switch lives := v.leases.head[next.lease.id] == next.lease; { // the ID may have been granted again
		case lives:
			lease = next.lease.id
		case local:
			next = nil
		}
	}
	switch it.local = local; {
	case next != nil:
		v.setValue(it, rev, next.value, lease)
	case shown != nil:
		v.setAbsent(it, rev)
	default:
		return false
	}
	return true
}

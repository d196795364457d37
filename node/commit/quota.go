package commit

// quotaWarn is the share of a quota, in percent, from which on the node warns.
const quotaWarn = 80

// Percent returns how much of most is used, in percent; 0 if most is 0, which is no bound.
func Percent(used, most uint64) uint64 {
	switch {
	case most == 0:
		return 0
	case used >= most:
		return 100
	}
	return uint64(float64(used) / float64(most) * 100)
}

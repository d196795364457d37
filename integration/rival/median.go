package rival

import "slices"

// Median returns the median of what of returns for all, of which there is at least one.
func Median[T any](all []T, of func(T) float64) float64 {
	v := make([]float64, len(all))
	for i := range all {
		v[i] = of(all[i])
	}
	slices.Sort(v)
	return v[len(v)/2]
}

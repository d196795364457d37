package admin

import "time"

// lastMoment is the last that has a form in JSON, to the second.
var lastMoment = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)

// Moment returns the time that ms since 1970 are. What other nodes and operators
// give as a time may be any number: [lastMoment] stands for all after it.
func Moment(ms uint64) time.Time {
	return time.UnixMilli(int64(min(ms, uint64(lastMoment.UnixMilli())))).UTC()
}

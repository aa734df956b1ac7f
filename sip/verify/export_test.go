package verify

// Keys is how many counters there are.
func (v *Velocity) Keys() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.counters)
}

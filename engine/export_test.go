package engine

// InClear returns opt without encryption.
func InClear(opt Options) Options {
	opt.inClear = true
	return opt
}

// Package privacy turns what a request gives away about a person into what the project may keep: an
// address becomes a country and a hash, address and agent become a visitor of the day, an agent
// becomes a device, and a URL loses the personal data that sites put into it.
//
// It decides none of when: whether an address may be used, under which salt, and what happens to a
// bot's event is the caller's to say. It makes no salts and keeps none.
//
// The package starts no goroutines and writes nothing to disk. It keeps no address and no agent in
// memory either: the cache of parsed agents knows them by a hash under a secret of the process.
// Everything in it is safe for concurrent use.
package privacy

package vault

import "muniment/anchor/journal"

// LockWorker is the worker of the lock duty, for tests to run when they want.
func LockWorker(v *Vault) journal.Worker { return v.lockWorker() }

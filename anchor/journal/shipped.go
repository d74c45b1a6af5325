package journal

// shipped is a release bucket whose objects are believed only if the journal's shipping key authenticates them. Hashes
// and names in them are hints where to look.
type shipped struct {
	Bucket
	keys *keyring // nil: what is read is checked, and not authenticated
}

// openShipped is the bucket with the keys that a service unwraps, for those who have no backend; without a service,
// nothing is authenticated.
func openShipped(b Bucket, service ShippingKeys) shipped {
	if service == nil {
		return shipped{Bucket: b}
	}
	return shipped{b, newKeyring(service, b, nil, ID{})}
}

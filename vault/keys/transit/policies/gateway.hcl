# The gateway: it uses the tenants' keys and makes new ones. It cannot rotate, trim, export, back up or delete any.
# Written for the Transit engine at transit/ and keys whose names begin with muniment-; change both to yours.

# Deposits wrap each document's key. Without "create" Vault does not draw a key for a tenant that has none.
path "transit/encrypt/muniment-tenant-*" {
  capabilities = ["update"]
}

# Reads unwrap it.
path "transit/decrypt/muniment-tenant-*" {
  capabilities = ["update"]
}

# After a rotation, what is kept is wrapped anew. The keys in it stay in Vault.
path "transit/rewrap/muniment-tenant-*" {
  capabilities = ["update"]
}

# A new tenant gets a key, which cannot be exported; the versions of a key are looked up. "+" is one part of a path: with
# "muniment-tenant-*" in its place, this would also grant muniment-tenant-NAME/rotate, /config and /trim, which are the
# custodian's. The price is that the other keys of this engine can be described, too; keep them in an engine of their own.
path "transit/keys/+" {
  capabilities = ["read", "update"]
  allowed_parameters = {
    "type"                   = ["aes256-gcm96"]
    "derived"                = [false]
    "exportable"             = [false]
    "allow_plaintext_backup" = [false]
  }
}

# The journal's shipping key is wrapped when it is drawn, and unwrapped at each start. The key that does so is only read:
# an exact path goes before "+", so this login cannot make it.
path "transit/encrypt/muniment-journal" {
  capabilities = ["update"]
}
path "transit/decrypt/muniment-journal" {
  capabilities = ["update"]
}
path "transit/keys/muniment-journal" {
  capabilities = ["read"]
}

# Checkpoints of the journal are signed. The key is only read: an exact path goes before "+".
path "transit/sign/muniment-checkpoint" {
  capabilities = ["update"]
}
path "transit/keys/muniment-checkpoint" {
  capabilities = ["read"]
}

# So are the blocks of the local ledger, where that is used.
path "transit/sign/muniment-ledger" {
  capabilities = ["update"]
}
path "transit/keys/muniment-ledger" {
  capabilities = ["read"]
}

# The login keeps itself alive, looks at its own end, and ends itself at shutdown.
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}

# Health checks compare what is granted with what is needed.
path "sys/capabilities-self" {
  capabilities = ["update"]
}

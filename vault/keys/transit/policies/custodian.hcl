# The key custodian: the acts that end a key's life. It can neither wrap nor unwrap nor sign, so it reads no document.
# Written for the Transit engine at transit/ and keys whose names begin with muniment-; change both to yours.

# A new version, after which everything is wrapped anew. "+" is one part of a path: the key's name.
path "transit/keys/+/rotate" {
  capabilities = ["update"]
}

# Trimming, first step: the minimum versions rise. deletion_allowed and exportable are not among what may be set.
path "transit/keys/+/config" {
  capabilities = ["update"]
  allowed_parameters = {
    "min_decryption_version" = []
    "min_encryption_version" = []
  }
}

# Trimming, second step: the versions below are destroyed.
path "transit/keys/+/trim" {
  capabilities = ["update"]
}

# The signing keys are never rotated or trimmed: who verifies knows one public key. An exact path goes before "+".
path "transit/keys/muniment-checkpoint/rotate" {
  capabilities = ["deny"]
}
path "transit/keys/muniment-checkpoint/config" {
  capabilities = ["deny"]
}
path "transit/keys/muniment-checkpoint/trim" {
  capabilities = ["deny"]
}
path "transit/keys/muniment-ledger/rotate" {
  capabilities = ["deny"]
}
path "transit/keys/muniment-ledger/config" {
  capabilities = ["deny"]
}
path "transit/keys/muniment-ledger/trim" {
  capabilities = ["deny"]
}

# The key that wraps the journals' shipping keys is out of the custodian's reach, whatever else its login may do: who
# trims it ends every journal, and who unwraps with it can forge what a journal ships.
path "transit/keys/muniment-journal" {
  capabilities = ["deny"]
}
path "transit/keys/muniment-journal/*" {
  capabilities = ["deny"]
}
path "transit/+/muniment-journal" {
  capabilities = ["deny"]
}
path "transit/+/+/muniment-journal" {
  capabilities = ["deny"]
}
path "transit/+/+/muniment-journal/*" {
  capabilities = ["deny"]
}

# Each step is looked at before the next.
path "transit/keys/+" {
  capabilities = ["read"]
}

# The custodian's login looks at its own end, and may be prolonged.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}

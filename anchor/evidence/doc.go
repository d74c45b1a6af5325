// Package evidence proves to somebody who trusts none of us what the journal says of one document: it defines the
// evidence file and the auditor's policy, and verifies one against the other without a network.
//
// It imports nothing else of this program and shares no code with what writes the journal, except the formats:
//
//   - A leaf's entry is SHA-256(nonce ‖ body), 32 raw bytes; the tree over the entries is RFC 6962's (section 2.1).
//   - The checkpoint is a C2SP tlog-checkpoint in a plain Ed25519 signed note, without extension lines, whose key name
//     is the origin.
//   - The commitment in the deposit's body is HMAC-SHA-256(salt, "muniment content v1" ‖ SHA-256(content)).
//   - An anchor in a ledger of kind "local" is a signed note of seven lines (see parseBlock). The kinds of ledgers that
//     can be judged are a table (see kinds).
//
// # The steps
//
// [Verify] follows seven steps from the document to the ledger, and says of each whether it holds:
//
//	document    the file at hand has the SHA-256 that the evidence discloses
//	commitment  digest and salt give the commitment that the deposit's body carries
//	body        the bodies are well formed, about this document, and in a possible order
//	leaf        each body with its nonce is the leaf of its index, by its inclusion proof
//	log         the checkpoint is a readable head of the log that the evidence names
//	signature   a key that the policy trusts for this log has signed the checkpoint
//	ledger      as many ledgers as the policy requires have this head
//
// The verdict is [DoesNotMatch] if any step does not hold, else [CannotTell] if any step cannot be told, else
// [Verified]. A step that was not asked for changes nothing: evidence without a document verifies the record alone,
// which must be possible because a destroyed document has no content left to compare; the report then says that nothing
// is said about any file. A document given without a disclosure to compare it with cannot be told.
//
// # What may change without changing the verdict
//
// Every byte of every JSON value is bound, by a hash, a signature or the parser, except:
//
//   - anchors whose kind and id the policy does not list: kind, id and proof. This includes an anchor beyond the number
//     that the policy requires, when a changed kind or id takes it out of the policy's list.
//   - signature lines of the checkpoint by keys that the policy does not list (C2SP signed-note has verifiers ignore
//     these; witnesses add them).
package evidence

package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// opener verifies and decrypts one segment, which is no shorter than its tag, in place. When it says false, the
// segment's bytes are worthless.
type opener interface {
	open(segment []byte, number uint32, last bool) (plain []byte, ok bool)
}

// newOpener derives the keys of one ciphertext (HKDF-SHA-256, RFC 5869: the main key, the header's salt, the binding as
// info) and returns what opens its segments. prefix begins every nonce.
func newOpener(k contentKey, salt, prefix, binding []byte) (opener, error) {
	gcm := k.suite == GCMSmall || k.suite == GCMLarge
	size := keySize
	if !gcm {
		size += sha256.Size
	}
	derived, err := hkdf.Key(sha256.New, k.main, salt, string(binding), size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived[:keySize])
	if err != nil {
		return nil, err
	}
	if !gcm {
		o := &ctrOpener{block: block, mac: hmac.New(sha256.New, derived[keySize:])}
		copy(o.nonce[:], prefix)
		return o, nil
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	o := &gcmOpener{aead: aead}
	copy(o.nonce[:], prefix)
	return o, nil
}

// setNonce writes a segment's number and last-segment flag behind the prefix of its nonce.
func setNonce(nonce []byte, number uint32, last bool) {
	binary.BigEndian.PutUint32(nonce[prefixSize:], number)
	nonce[prefixSize+4] = 0
	if last {
		nonce[prefixSize+4] = 1
	}
}

type gcmOpener struct {
	aead  cipher.AEAD
	nonce [12]byte
}

func (o *gcmOpener) open(segment []byte, number uint32, last bool) ([]byte, bool) {
	setNonce(o.nonce[:], number, last)
	plain, err := o.aead.Open(segment[:0], o.nonce[:], segment, nil)
	return plain, err == nil
}

type ctrOpener struct {
	block cipher.Block
	mac   hash.Hash
	nonce [aes.BlockSize]byte // the last four bytes count the blocks
	sum   [sha256.Size]byte
}

func (o *ctrOpener) open(segment []byte, number uint32, last bool) ([]byte, bool) {
	setNonce(o.nonce[:], number, last)
	plain, tag := segment[:len(segment)-ctrTag], segment[len(segment)-ctrTag:]
	o.mac.Reset()
	o.mac.Write(o.nonce[:])
	o.mac.Write(plain)
	if !hmac.Equal(o.mac.Sum(o.sum[:0]), tag) {
		return nil, false
	}
	cipher.NewCTR(o.block, o.nonce[:]).XORKeyStream(plain, plain)
	return plain, true
}

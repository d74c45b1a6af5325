module muniment/anchor/journal/testdata/tessera

go 1.26.0

require github.com/transparency-dev/tessera v1.0.4

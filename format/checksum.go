package format

import "hash/crc32"

// Castagnoli is the table of CRC-32C (polynomial 0x1EDC6F41), the checksum of this project's files.
var Castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Instructions of AMX and of AVX-512 BF16 that Go's assembler does not know, one
// macro each.
//
// Registers are given by number, in the order of Go's assembler: the destination
// comes last. A tile is one of T0-T7, a memory operand is disp(base)(index*1)
// with AX=0, CX=1, DX=2, BX=3, SI=6, DI=7, R8=8 ... R15=15.
//
// The comment above a macro is the instruction in Intel's syntax; a test lets
// objdump confirm it for every register.

// ldtilecfg [rax]
#define LDTILECFG_AX BYTE $0xC4; BYTE $0xE2; BYTE $0x78; BYTE $0x49; BYTE $0x00
// tilerelease
#define TILERELEASE BYTE $0xC4; BYTE $0xE2; BYTE $0x78; BYTE $0x49; BYTE $0xC0
// tilezero tmm{t}
#define TILEZERO(t) BYTE $0xC4; BYTE $0xE2; BYTE $0x7B; BYTE $0x49; BYTE $(0xC0|(t)<<3)
// tileloadd tmm{t},[{base}+{index}*1{disp}]
#define TILELOADD(disp, base, index, t) BYTE $0xC4; BYTE $(0x82|((15-(index))&8)<<3|((15-(base))&8)<<2); BYTE $0x7B; BYTE $0x4B; BYTE $(0x84|(t)<<3); BYTE $(((index)&7)<<3|(base)&7); LONG $(disp)
// tileloaddt1 tmm{t},[{base}+{index}*1{disp}]
#define TILELOADDT1(disp, base, index, t) BYTE $0xC4; BYTE $(0x82|((15-(index))&8)<<3|((15-(base))&8)<<2); BYTE $0x79; BYTE $0x4B; BYTE $(0x84|(t)<<3); BYTE $(((index)&7)<<3|(base)&7); LONG $(disp)
// tilestored [{base}+{index}*1{disp}],tmm{t}
#define TILESTORED(t, disp, base, index) BYTE $0xC4; BYTE $(0x82|((15-(index))&8)<<3|((15-(base))&8)<<2); BYTE $0x7A; BYTE $0x4B; BYTE $(0x84|(t)<<3); BYTE $(((index)&7)<<3|(base)&7); LONG $(disp)
// tdpbf16ps tmm{c},tmm{a},tmm{b}
#define TDPBF16PS(b, a, c) BYTE $0xC4; BYTE $0xE2; BYTE $(0x02|(15-(b))<<3); BYTE $0x5C; BYTE $(0xC0|(c)<<3|(a))
// vcvtne2ps2bf16 zmm{d},zmm{v},zmm{s}
#define VCVTNE2PS2BF16(s, v, d) BYTE $0x62; BYTE $(0x02|((31-(d))&8)<<4|((31-(s))&16)<<2|((31-(s))&8)<<2|(31-(d))&16); BYTE $(0x07|((31-(v))&15)<<3); BYTE $(0x40|((31-(v))&16)>>1); BYTE $0x72; BYTE $(0xC0|((d)&7)<<3|(s)&7)

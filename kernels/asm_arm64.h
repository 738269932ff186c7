// Instructions that Go's assembler for arm64 does not know, one macro each.
//
// Arguments are the numbers of V registers in the order of Go's assembler: the
// destination comes last. SMULL_H8(2, 1, 0) is V0.H8 = V1.B8 * V2.B8. The name is
// ARM's name with the arrangement of the destination.
//
// The comment above a macro is the instruction in ARM's own syntax; a test
// assembles every macro and lets objdump confirm the comment.

// movi v{d}.2d, #0x0
#define MOVI0(d) WORD $(0x6F00E400 | (d))

// Float32, four lanes.

// fadd v{d}.4s, v{n}.4s, v{m}.4s
#define FADD_S4(m, n, d) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))
// fsub v{d}.4s, v{n}.4s, v{m}.4s
#define FSUB_S4(m, n, d) WORD $(0x4EA0D400 | (m)<<16 | (n)<<5 | (d))
// fmul v{d}.4s, v{n}.4s, v{m}.4s
#define FMUL_S4(m, n, d) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
// fdiv v{d}.4s, v{n}.4s, v{m}.4s
#define FDIV_S4(m, n, d) WORD $(0x6E20FC00 | (m)<<16 | (n)<<5 | (d))
// fmax v{d}.4s, v{n}.4s, v{m}.4s
#define FMAX_S4(m, n, d) WORD $(0x4E20F400 | (m)<<16 | (n)<<5 | (d))
// fmin v{d}.4s, v{n}.4s, v{m}.4s
#define FMIN_S4(m, n, d) WORD $(0x4EA0F400 | (m)<<16 | (n)<<5 | (d))
// faddp v{d}.4s, v{n}.4s, v{m}.4s
#define FADDP_S4(m, n, d) WORD $(0x6E20D400 | (m)<<16 | (n)<<5 | (d))
// fmla v{d}.4s, v{n}.4s, v{m}.s[{i}]
#define FMLA_S4_S(m, i, n, d) WORD $(0x4F801000 | ((i)&1)<<21 | ((i)>>1)<<11 | (m)<<16 | (n)<<5 | (d))
// fmaxnm v{d}.4s, v{n}.4s, v{m}.4s
#define FMAXNM_S4(m, n, d) WORD $(0x4E20C400 | (m)<<16 | (n)<<5 | (d))
// fminnm v{d}.4s, v{n}.4s, v{m}.4s
#define FMINNM_S4(m, n, d) WORD $(0x4EA0C400 | (m)<<16 | (n)<<5 | (d))
// fneg v{d}.4s, v{n}.4s
#define FNEG_S4(n, d) WORD $(0x6EA0F800 | (n)<<5 | (d))
// fmaxv s{d}, v{n}.4s
#define FMAXV_S(n, d) WORD $(0x6E30F800 | (n)<<5 | (d))
// fminv s{d}, v{n}.4s
#define FMINV_S(n, d) WORD $(0x6EB0F800 | (n)<<5 | (d))

// Float64, two lanes.

// fadd v{d}.2d, v{n}.2d, v{m}.2d
#define FADD_D2(m, n, d) WORD $(0x4E60D400 | (m)<<16 | (n)<<5 | (d))
// faddp d{d}, v{n}.2d
#define FADDP_D(n, d) WORD $(0x7E70D800 | (n)<<5 | (d))

// Conversions and rounding.

// frintn v{d}.4s, v{n}.4s
#define FRINTN_S4(n, d) WORD $(0x4E218800 | (n)<<5 | (d))
// fcvtns v{d}.4s, v{n}.4s
#define FCVTNS_S4(n, d) WORD $(0x4E21A800 | (n)<<5 | (d))
// scvtf v{d}.4s, v{n}.4s
#define SCVTF_S4(n, d) WORD $(0x4E21D800 | (n)<<5 | (d))
// fcvtl v{d}.4s, v{n}.4h
#define FCVTL_S4(n, d) WORD $(0x0E217800 | (n)<<5 | (d))
// fcvtl2 v{d}.4s, v{n}.8h
#define FCVTL2_S4(n, d) WORD $(0x4E217800 | (n)<<5 | (d))
// fcvtl v{d}.2d, v{n}.2s
#define FCVTL_D2(n, d) WORD $(0x0E617800 | (n)<<5 | (d))
// fcvtl2 v{d}.2d, v{n}.4s
#define FCVTL2_D2(n, d) WORD $(0x4E617800 | (n)<<5 | (d))
// fcvtn v{d}.4h, v{n}.4s
#define FCVTN_H4(n, d) WORD $(0x0E216800 | (n)<<5 | (d))
// fcvtn2 v{d}.8h, v{n}.4s
#define FCVTN2_H8(n, d) WORD $(0x4E216800 | (n)<<5 | (d))

// Integer products, widening unless they end in _S4 with equal arrangements.

// smull v{d}.8h, v{n}.8b, v{m}.8b
#define SMULL_H8(m, n, d) WORD $(0x0E20C000 | (m)<<16 | (n)<<5 | (d))
// smull2 v{d}.8h, v{n}.16b, v{m}.16b
#define SMULL2_H8(m, n, d) WORD $(0x4E20C000 | (m)<<16 | (n)<<5 | (d))
// smlal v{d}.8h, v{n}.8b, v{m}.8b
#define SMLAL_H8(m, n, d) WORD $(0x0E208000 | (m)<<16 | (n)<<5 | (d))
// smlal2 v{d}.8h, v{n}.16b, v{m}.16b
#define SMLAL2_H8(m, n, d) WORD $(0x4E208000 | (m)<<16 | (n)<<5 | (d))
// smull v{d}.4s, v{n}.4h, v{m}.4h
#define SMULL_S4(m, n, d) WORD $(0x0E60C000 | (m)<<16 | (n)<<5 | (d))
// smull2 v{d}.4s, v{n}.8h, v{m}.8h
#define SMULL2_S4(m, n, d) WORD $(0x4E60C000 | (m)<<16 | (n)<<5 | (d))
// smlal v{d}.4s, v{n}.4h, v{m}.4h
#define SMLAL_S4(m, n, d) WORD $(0x0E608000 | (m)<<16 | (n)<<5 | (d))
// smlal2 v{d}.4s, v{n}.8h, v{m}.8h
#define SMLAL2_S4(m, n, d) WORD $(0x4E608000 | (m)<<16 | (n)<<5 | (d))
// smlal v{d}.4s, v{n}.4h, v{m}.h[{i}]
#define SMLAL_S4_H(m, i, n, d) WORD $(0x0F402000 | ((i)&3)<<20 | ((i)>>2)<<11 | (m)<<16 | (n)<<5 | (d))
// smlal2 v{d}.4s, v{n}.8h, v{m}.h[{i}]
#define SMLAL2_S4_H(m, i, n, d) WORD $(0x4F402000 | ((i)&3)<<20 | ((i)>>2)<<11 | (m)<<16 | (n)<<5 | (d))
// mla v{d}.4s, v{n}.4s, v{m}.4s
#define MLA_S4(m, n, d) WORD $(0x4EA09400 | (m)<<16 | (n)<<5 | (d))
// mls v{d}.4s, v{n}.4s, v{m}.4s
#define MLS_S4(m, n, d) WORD $(0x6EA09400 | (m)<<16 | (n)<<5 | (d))
// mla v{d}.4s, v{n}.4s, v{m}.s[{i}]
#define MLA_S4_S(m, i, n, d) WORD $(0x6F800000 | ((i)&1)<<21 | ((i)>>1)<<11 | (m)<<16 | (n)<<5 | (d))

// Widening, narrowing and sums of integers.

// saddlp v{d}.4s, v{n}.8h
#define SADDLP_S4(n, d) WORD $(0x4E602800 | (n)<<5 | (d))
// sadalp v{d}.4s, v{n}.8h
#define SADALP_S4(n, d) WORD $(0x4E606800 | (n)<<5 | (d))
// sshll v{d}.8h, v{n}.8b, #{s}
#define SSHLL_H8(s, n, d) WORD $(0x0F08A400 | (s)<<16 | (n)<<5 | (d))
// sshll2 v{d}.8h, v{n}.16b, #{s}
#define SSHLL2_H8(s, n, d) WORD $(0x4F08A400 | (s)<<16 | (n)<<5 | (d))
// sshll v{d}.4s, v{n}.4h, #{s}
#define SSHLL_S4(s, n, d) WORD $(0x0F10A400 | (s)<<16 | (n)<<5 | (d))
// sshll2 v{d}.4s, v{n}.8h, #{s}
#define SSHLL2_S4(s, n, d) WORD $(0x4F10A400 | (s)<<16 | (n)<<5 | (d))
// xtn v{d}.4h, v{n}.4s
#define XTN_H4(n, d) WORD $(0x0E612800 | (n)<<5 | (d))
// shrn v{d}.4h, v{n}.4s, #16
#define SHRN16_H4(n, d) WORD $(0x0F108400 | (n)<<5 | (d))
// sshr v{d}.4s, v{n}.4s, #{s}
#define SSHR_S4(s, n, d) WORD $(0x4F000400 | (64-(s))<<16 | (n)<<5 | (d))
// umaxv s{d}, v{n}.4s
#define UMAXV_S(n, d) WORD $(0x6EB0A800 | (n)<<5 | (d))

// Loads; m and n are numbers of R registers.

// ldr q{d}, [x{n}, x{m}]
#define LDR_Q(m, n, d) WORD $(0x3CE06800 | (m)<<16 | (n)<<5 | (d))

// FEAT_DotProd.

// sdot v{d}.4s, v{n}.16b, v{m}.16b
#define SDOT_S4(m, n, d) WORD $(0x4E809400 | (m)<<16 | (n)<<5 | (d))
// sdot v{d}.4s, v{n}.16b, v{m}.4b[{i}]
#define SDOT_S4_B(m, i, n, d) WORD $(0x4F80E000 | ((i)&1)<<21 | ((i)>>1)<<11 | (m)<<16 | (n)<<5 | (d))

// FEAT_I8MM.

// smmla v{d}.4s, v{n}.16b, v{m}.16b
#define SMMLA_S4(m, n, d) WORD $(0x4E80A400 | (m)<<16 | (n)<<5 | (d))

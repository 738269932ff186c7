#include "textflag.h"

// func Prefetch(b []byte)
TEXT ·Prefetch(SB), NOSPLIT, $0-24
	MOVQ b_base+0(FP), SI
	MOVQ b_len+8(FP), CX
	ADDQ SI, CX // behind the last byte

line:
	CMPQ       SI, CX
	JAE        done
	PREFETCHT1 (SI)
	ADDQ       $64, SI
	JMP        line

done:
	RET

#include "textflag.h"

// func pause()
//
// ISB besides YIELD, because YIELD does nothing at all on most cores, and ISB waits some tens of cycles.
TEXT ·pause(SB), NOSPLIT|NOFRAME, $0-0
	YIELD
	ISB	$15
	RET

#ifndef ALLOCATION_COUNT_H
#define ALLOCATION_COUNT_H

/// How many blocks of memory the calling thread has asked for since it began.
///
/// Programs that link this have their allocations counted: its malloc and the like stand before
/// those of the C library, which they call (glibc manual, "Replacing malloc").
unsigned long allocation_count(void);

#endif

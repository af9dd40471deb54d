/* The standard streams: how they end. */
#ifndef JUGGLE_STREAM_STANDARD_H
#define JUGGLE_STREAM_STANDARD_H

struct jg__stream;

/* The stream, which jg_run closed at its end, is lost: everything was written, or will not be. */
void jg__standard_ended(struct jg__stream *stream);

#endif

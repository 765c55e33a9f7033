// Everything a streaming program needs.
#ifndef MILLRACE_CLIENT_MILLRACE_MILLRACE_H_
#define MILLRACE_CLIENT_MILLRACE_MILLRACE_H_

#include <millrace/conf.h>
#include <millrace/context.h>
#include <millrace/dstream.h>
#include <millrace/function.h>
#include <millrace/init.h>
#include <millrace/rdd.h>
#include <millrace/receiver.h>
#include <millrace/split.h>
#include <millrace/state_spec.h>
#include <millrace/streaming_context.h>
#include <millrace/streaming_listener.h>
#include <millrace/time.h>

#endif  // MILLRACE_CLIENT_MILLRACE_MILLRACE_H_

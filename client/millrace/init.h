// The first statement of a program's main().
#ifndef MILLRACE_CLIENT_MILLRACE_INIT_H_
#define MILLRACE_CLIENT_MILLRACE_INIT_H_

namespace millrace {

// Sets up logging (warnings and errors, on standard error) and takes Millrace's own flags out of
// argv: `--millrace_conf=KEY=VALUE`, any number of them, settings below those of the program's own
// Conf. Everything else is the program's. Ends the process with exit code 2 when a flag is wrong.
//
// It must be the first statement of main(): in a process that was started as a worker of this
// program (local-cluster[...], a cluster) it serves the driver and never returns.
void Init(int* argc, char*** argv);

}  // namespace millrace

#endif  // MILLRACE_CLIENT_MILLRACE_INIT_H_

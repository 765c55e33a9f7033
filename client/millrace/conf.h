// An application's settings.
#ifndef MILLRACE_CLIENT_MILLRACE_CONF_H_
#define MILLRACE_CLIENT_MILLRACE_CONF_H_

#include "common/config/conf.h"

#endif  // MILLRACE_CLIENT_MILLRACE_CONF_H_

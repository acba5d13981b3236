# frozen_string_literal: true

# Enough threads for all connections of the load at once: streams hold theirs.
threads 8, 32
bind "tcp://0.0.0.0:3000"
environment "production"
log_requests false

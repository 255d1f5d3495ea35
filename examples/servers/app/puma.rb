# The sockets that Huddle hands over, and no others.
bind_to_activated_sockets 'only'
# Otherwise a puma that leaves closes connections on which the request has not come yet.
queue_requests false

run ->(_env) { [200, { 'content-type' => 'text/plain' }, ["#{ENV.fetch('HUDDLE_REVISION')}\n"]] }

-- Sets versioned values. KEYS[1] holds the incarnation, the others are hashes.
-- ARGV: a mark for a new incarnation, then for each hash: expiry in ms (0 for none), number of values, and for each
-- value: field, 8 bytes of big-endian version followed by the payload.
-- A value of an older version than the stored one is left out. Returns the incarnation.
local arg = 2
for k = 2, #KEYS do
    local expire_ms, values = ARGV[arg], tonumber(ARGV[arg + 1])
    arg = arg + 2
    for _ = 1, values do
        local field, new = ARGV[arg], ARGV[arg + 1]
        arg = arg + 2
        local old = redis.call('HGET', KEYS[k], field)
        local newer = true
        if old and #old >= 8 then
            -- Not by comparing strings: that goes by the server's locale. Not as one number: Lua's have 53 bits.
            local old_high, old_low = struct.unpack('>I4>I4', old)
            local new_high, new_low = struct.unpack('>I4>I4', new)
            newer = new_high > old_high or (new_high == old_high and new_low >= old_low)
        end
        if newer then
            redis.call('HSET', KEYS[k], field, new)
        end
    end
    if expire_ms ~= '0' then
        redis.call('PEXPIRE', KEYS[k], expire_ms)
    end
end
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])

-- A Wireshark dissector for the tcpshm wire, version 1: logins, messages and control frames over TCP.
--
-- The format is that of ../WIRE.md, and so are the numbers of sections in these comments. What a connection has come
-- to is worked out once, when its bytes are first seen, and kept in one record for each login message and frame:
-- Wireshark shows packets again in any order.

local tcpshm = Proto("tcpshm", "tcpshm link")

local MAGIC, VERSION = "tshm", 1
-- The magic, the version and the type of the message that begins a connection.
local HELLO = "tshm\1\1"
local PROLOGUE, HEADER = 8, 16
local MOST_PAYLOAD = 2 ^ 30
-- The longest frame that is believed where its place in the stream is not known: garbage must not make Wireshark wait
-- for a gigabyte.
local MOST_GUESSED = 2 ^ 24
-- Frames of one packet that the info column names.
local NAMED = 8
local ZERO, MIX = UInt64.new(0), UInt64.new(0x7f4a7c15, 0x9e3779b9)

local TYPES = { "Hello", "Welcome", "Confirm", "Ready", "Refusal" }
local CODES = { "Ack", "Heartbeat", "Close" }
local CODE_LENGTHS = { 16, 16, 24 }
local REASONS = { "Application", "ShuttingDown", "Replaced", "Fault", "Silence" }
local WISHES = { "tcp", "shm", "either" }
local OFFERS = { "tcp", "shm", "tcp+shm" }
local CARRIERS = { "tcp", "shm" }
local OUTCOMES = { "resumed", "fresh", "reset" }
local FLAGS = { [0] = "no", "yes" }
local REFUSALS = {
  "Version", "Malformed", "WrongServer", "Denied", "LimitsShrunk", "StaleConfirm", "ProposalDead", "TokenVoid", "Busy",
  "PeerLostClient", "PeerLostServer", "Diverged", "KeptFull", "Storage", "Overloaded", "ShuttingDown", "NoCarrier",
  "Internal",
}

-- Fields -------------------------------------------------------------------------------------------------------------

local f, fields = {}, {}

local function field(key, kind, label, ...)
  f[key] = ProtoField[kind]("tcpshm." .. key, label, ...)
  fields[#fields + 1] = f[key]
end

local function flag(key, label) field(key, "uint8", label, base.DEC, FLAGS) end

field("sender", "string", "Sender")
field("magic", "string", "Magic")
field("version", "uint8", "Version")
field("type", "uint8", "Type", base.DEC, TYPES)
field("body", "uint16", "Bytes of body")
field("name.length", "uint8", "Bytes of name")
field("client", "string", "Client")
field("server", "string", "Server")
flag("server_meant", "Another server will not do")
for key, label in pairs({
  send = "Would send", accept = "Takes", client_stream = "Client's stream", server_stream = "Server's stream",
}) do
  field(key, "none", label)
  field(key .. ".capacity", "uint64", "Capacity")
  field(key .. ".largest", "uint32", "Largest payload")
end
field("wish", "uint8", "Wish", base.DEC, WISHES)
field("carriers", "uint8", "Carriers offered", base.DEC, OFFERS)
field("carrier", "uint8", "Carrier", base.DEC, CARRIERS)
field("silence", "uint32", "Silence tolerated, ms")
field("user_data.length", "uint16", "Bytes of user data")
field("user_data", "bytes", "User data")
field("challenge", "uint64", "Challenge", base.HEX)
flag("held", "Held")
flag("proposed", "Proposed")
flag("disputed", "Disputed")
field("session", "string", "Session")
field("held.session", "string", "Session")
field("held.attachment", "uint64", "Attachment", base.HEX)
field("proposed.session", "string", "Session")
field("attachment", "uint64", "Attachment", base.HEX)
field("standing", "none", "Standing")
field("standing.acked", "uint64", "Acked")
field("standing.sent", "uint64", "Sent")
field("standing.consumed", "uint64", "Consumed")
flag("with_token", "With a reset token")
field("token", "string", "Reset token")
flag("undelivered", "With a count of undelivered messages")
field("undelivered.messages", "uint64", "Messages")
field("undelivered.from", "uint64", "From")
field("undelivered.upto", "uint64", "Up to")
field("nonce", "uint64", "Nonce", base.HEX)
field("outcome", "uint8", "Outcome", base.DEC, OUTCOMES)
field("refusal", "uint16", "Refusal", base.DEC, REFUSALS)
field("refusal.first", "uint64", "First number")
field("refusal.second", "uint64", "Second number")
field("refusal.text.length", "uint16", "Bytes of text")
field("refusal.text", "string", "Text")
field("len", "uint32", "Length, header included")
field("kind", "uint16", "Kind")
field("mark", "uint16", "Mark", base.HEX)
field("code", "uint16", "Code", base.DEC, CODES)
field("ack", "uint64", "Ack")
field("reason", "uint64", "Reason", base.DEC, REASONS)
field("payload", "bytes", "Payload")
field("padding", "bytes", "Padding")
field("rest", "bytes", "Bytes that are no frame")
-- Not in the bytes, but known from those before.
field("position", "uint64", "Position in the sender's stream")
field("end", "uint64", "Position of its end")
field("mark.expected", "uint16", "Mark that belongs here", base.HEX)
field("ack.lag", "uint64", "Bytes of the other stream seen and not acknowledged")
flag("again", "Was or may have been sent before")
tcpshm.fields = fields

local experts = {
  malformed = ProtoExpert.new("tcpshm.malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR),
  mark = ProtoExpert.new("tcpshm.mark.wrong", "Wrong mark", expert.group.CHECKSUM, expert.severity.ERROR),
  ack = ProtoExpert.new("tcpshm.ack.wrong", "Impossible ack", expert.group.PROTOCOL, expert.severity.ERROR),
  turn = ProtoExpert.new("tcpshm.turn", "Not its turn", expert.group.PROTOCOL, expert.severity.ERROR),
  refused = ProtoExpert.new("tcpshm.refused", "Login refused", expert.group.RESPONSE_CODE, expert.severity.NOTE),
  lost = ProtoExpert.new("tcpshm.lost", "Place not known", expert.group.UNDECODED, expert.severity.NOTE),
}
tcpshm.experts = { experts.malformed, experts.mark, experts.ack, experts.turn, experts.refused, experts.lost }

local function complain(item, which, text) item:add_proto_expert_info(experts[which], text) end

local function generated(tree, key, range, value) tree:add(f[key], range, value):set_generated() end

-- Login messages (5) -------------------------------------------------------------------------------------------------

-- A place in the body of a login message. Once the body has ended within a field nothing more is read.
local Body = {}
Body.__index = Body

function Body:take(count)
  if self.over then return nil end
  if self.at + count > self.upto then
    self.over = true
    self:complain(self.item, ("the body ends within a field: %d of its %d bytes are there"):format(self.upto - self.at, count))
    return nil
  end
  local range = count > 0 and self.tvb(self.at, count) or nil
  self.at = self.at + count
  return range
end

function Body:complain(item, text)
  self.faulty = true
  complain(item, "malformed", text)
end

-- A reader takes something from the front of a body, shows it in a tree, and leaves its value in a table.

local function sequence(...)
  local readers = { ... }
  return function(body, tree, values)
    for _, read in ipairs(readers) do read(body, tree, values) end
  end
end

local function number(key, bytes, check, into)
  return function(body, tree, values)
    local range = body:take(bytes)
    if not range then return end
    local value = bytes == 8 and range:le_uint64() or range:le_uint()
    local item = tree:add_le(f[key], range)
    local fault = check and check(value)
    if fault then body:complain(item, fault) end
    values[into or key] = value
  end
end

local function choice(key, names)
  return number(key, 1, function(value) return not names[value] and value .. " is not one of them" end)
end

local function position(key)
  return number("standing." .. key, 8, function(value)
    return value % UInt64.new(8) ~= ZERO and "a position is a multiple of 8"
  end, key)
end

local function not_zero(value) return value == ZERO and "0 is no id" end

-- 128 bits, most significant digit first, as in the names of files.
local function wide(key, into)
  return function(body, tree, values)
    local range = body:take(16)
    if not range then return end
    local digits = {}
    for at = 15, 0, -1 do digits[#digits + 1] = ("%02x"):format(range(at, 1):uint()) end
    local hex = table.concat(digits)
    local item = tree:add(f[key], range, hex)
    if not hex:find("[^0]") then body:complain(item, "0 is no id") end
    values[into or key] = { hex = hex, folded = range(0, 8):le_uint64():bxor(range(8, 8):le_uint64()) }
  end
end

local function option(key, read, into)
  return function(body, tree, values)
    local range = body:take(1)
    if not range then return end
    local item = tree:add(f[key], range)
    if range:uint() == 1 then
      local inner = into and {} or values
      local start = body.at
      read(body, item, inner)
      item:set_len(1 + body.at - start)
      if into then values[into] = inner end
    elseif range:uint() ~= 0 then
      body:complain(item, "neither 0 nor 1")
      body.over = true
    end
  end
end

local function group(key, read, into)
  return function(body, tree, values)
    if body.over or body.at == body.upto then
      body:take(1)
      return
    end
    local start = body.at
    local item = tree:add(f[key], body.tvb(start, 1))
    values[into or key] = {}
    read(body, item, values[into or key])
    item:set_len(math.max(body.at - start, 1))
  end
end

local function escaped(raw)
  local text = raw:gsub("\\", "\\\\"):gsub("[^ -~]", function(byte) return ("\\x%02x"):format(byte:byte()) end)
  return text
end

-- Bytes with their number before them.
local function counted(length_key, bytes, most, show)
  return function(body, tree, values)
    local length = body:take(bytes)
    if not length then return end
    local item = tree:add_le(f[length_key], length)
    if length:le_uint() > most then body:complain(item, "at most " .. most) end
    local range = body:take(length:le_uint())
    show(range, tree, values, body)
  end
end

local function name(key)
  return counted("name.length", 1, 64, function(range, tree, values, body)
    local raw = range and range:raw() or ""
    local item = range and tree:add(f[key], range, escaped(raw)) or tree
    if not raw:find("^[%w_-][%w_.-]*$") then body:complain(item, "not a name") end
    values[key] = escaped(raw)
  end)
end

local user_data = counted("user_data.length", 2, 1024, function(range, tree)
  if range then tree:add(f.user_data, range) end
end)

local text = counted("refusal.text.length", 2, 200, function(range, tree, values)
  values.text = range and escaped(range:raw()) or ""
  if range then tree:add(f["refusal.text"], range, values.text) end
end)

local function geometry(key)
  return group(key, function(body, tree, values)
    number(key .. ".capacity", 8, function(capacity)
      local bytes = capacity:tonumber()
      local power = bytes > 0 and capacity:band(capacity - UInt64.new(1)) == ZERO
      return not (power and bytes >= 64 and bytes <= 2 ^ 40) and "not a power of two from 64 to 2^40"
    end, "capacity")(body, tree, values)
    number(key .. ".largest", 4, function(largest)
      local frame = math.ceil((HEADER + largest) / 8) * 8
      return (largest > MOST_PAYLOAD or frame + 8 > values.capacity:tonumber()) and "too large for the ring"
    end, "largest")(body, tree, values)
  end)
end

local limits = sequence(geometry("send"), geometry("accept"))
local standing = group("standing", sequence(position("acked"), position("sent"), position("consumed")))

local undelivered = option("undelivered", function(body, tree, values)
  number("undelivered.messages", 8, nil, "messages")(body, tree, values)
  number("undelivered.from", 8, nil, "from")(body, tree, values)
  number("undelivered.upto", 8, function(upto)
    local messages, from = values.messages, values.from
    local most = upto > from and (upto - from) / UInt64.new(16) or ZERO
    return ((messages == ZERO) ~= (from == upto) or messages > most) and "so many messages cannot lie there"
  end, "upto")(body, tree, values)
end, "undelivered")

local token = option("with_token", wide("token"))
local nonce = number("nonce", 8)
local challenge = number("challenge", 8)

local silence = number("silence", 4, function(value)
  return (value < 10 or value > 3600000) and "not from 10 to 3,600,000 ms"
end)

-- What cannot go together in a Confirm.
local function confirm_fault(values)
  local held, proposed = values.held, values.proposed
  if not held and not proposed then return "neither a held nor a proposed session" end
  if held and proposed and held.session and proposed.session and held.session.hex == proposed.session.hex then
    return "the proposed session is the held one"
  end
  if values.token and not proposed then return "a reset token without a proposed session" end
  if not held and (values.disputed == 1 or values.undelivered) then return "a dispute or a debt without a held session" end
end

local MESSAGES = {
  { most = 1186, read = sequence(
    name("client"), option("server_meant", name("server")), limits, choice("wish", WISHES), silence, user_data) },
  { most = 102, read = sequence(name("server"), limits, choice("carriers", OFFERS), silence, challenge) },
  { most = 149, fault = confirm_fault, read = sequence(
    option("held", sequence(
      wide("held.session", "session"), number("held.attachment", 8, not_zero, "attachment"), standing), "held"),
    option("proposed", sequence(
      wide("proposed.session", "session"), geometry("client_stream"), geometry("server_stream")), "proposed"),
    choice("disputed", FLAGS), token, undelivered, nonce, challenge) },
  { most = 1084, read = sequence(
    choice("outcome", OUTCOMES), wide("session"), standing, number("attachment", 8, not_zero),
    choice("carrier", CARRIERS), nonce, user_data) },
  { most = 262, read = sequence(
    number("refusal", 2), token, undelivered, number("refusal.first", 8), number("refusal.second", 8), text) },
}

local function named(names, value) return names[value] or tostring(value) end

local SUMMARIES = {
  function(v)
    local server = v.server and " server=" .. v.server or ""
    return ("client=%s%s wish=%s"):format(v.client, server, named(WISHES, v.wish))
  end,
  function(v) return ("server=%s carriers=%s"):format(v.server, named(OFFERS, v.carriers)) end,
  function(v)
    local parts = {}
    for _, key in ipairs({ "held", "proposed" }) do
      if v[key] and v[key].session then parts[#parts + 1] = key .. "=" .. v[key].session.hex end
    end
    if v.disputed == 1 then parts[#parts + 1] = "disputed" end
    if v.token then parts[#parts + 1] = "token" end
    return table.concat(parts, " ")
  end,
  function(v)
    local session = v.session and v.session.hex
    return ("%s session=%s carrier=%s"):format(named(OUTCOMES, v.outcome), session, named(CARRIERS, v.carrier))
  end,
  function(v) return ('%s "%s"'):format(named(REFUSALS, v.refusal), v.text) end,
}

-- Connections --------------------------------------------------------------------------------------------------------

-- By the addresses and ports of both ends. (The fields of TCP cannot be asked for: Wireshark often does without them
-- when it reads a capture.) A connection knows what its login said, and what is `due` in it. Each of its two sides has,
-- once that is known: its role, session, salt and the sizes of its stream; the position of its next frame; how much of
-- its stream the other can have seen (`sent`) and has acknowledged (`acked`), and the ends of the frames behind that.
local connections
-- The sizes of streams by session: a login that goes on with a session does not say them.
local sessions
-- What was found out about the message or frame that starts at a place of a packet.
local records
-- Packets and ends of connections with fewer bytes than tell whether they begin a login.
local short

function tcpshm.init()
  connections, sessions, records, short = {}, {}, {}, {}
end

local function ends(pinfo)
  return tostring(pinfo.src) .. " " .. pinfo.src_port, tostring(pinfo.dst) .. " " .. pinfo.dst_port
end

local function connection_of(pinfo, anew)
  local from, to = ends(pinfo)
  local key = from < to and from .. " " .. to or to .. " " .. from
  if anew or not connections[key] then
    connections[key] = { sides = { [from] = {}, [to] = {} } }
  end
  return connections[key]
end

-- The record of what starts here. A buffer that was put together from segments starts at 0, a segment behind headers.
local function record_of(pinfo, tvb, at, begins)
  local key = ("%d %s %d"):format(pinfo.number, tvb:offset() == 0 and "whole" or "segment", tvb:offset() + at)
  local record = records[key]
  if record then return record end
  local connection = connection_of(pinfo)
  -- Ports that are used again.
  if begins and connection.due then connection = connection_of(pinfo, true) end
  local from, to = ends(pinfo)
  local side = connection.sides[from]
  record = {
    connection = connection, side = side, other = connection.sides[to],
    login = connection.due ~= nil and connection.due ~= "frame",
    over = side.over,
    -- Where a stream's place is not known, or was lost, what looks like a frame is taken for one.
    guess = side.position == nil or side.broken,
    position = not side.broken and side.position or nil,
    most = side.most or HEADER + MOST_PAYLOAD, salt = side.salt, experts = {},
  }
  records[key] = record
  return record
end

local function note(record, which, format, ...)
  record.experts[#record.experts + 1] = { which, format:format(...) }
end

local function begin(side, session, stream, from, sent)
  side.session, side.position, side.acked, side.sent, side.broken = session.hex, from, from, sent, nil
  side.ends, side.oldest, side.newest = {}, 1, 0
  side.most = HEADER + (stream and stream.largest or MOST_PAYLOAD)
  side.capacity = stream and stream.capacity
  side.salt = side.role == "client" and session.folded or session.folded:bnot()
end

-- Both streams begin, each at what its receiver told to have consumed (7). Returns what is wrong with it.
local function take_ready(connection, server, client, ready)
  local hello, welcome, confirm = connection.hello or {}, connection.welcome or {}, connection.confirm
  local function of_this_session(shown) return shown and shown.session.hex == ready.session.hex and shown or nil end
  local held, proposed = of_this_session((confirm or {}).held), of_this_session((confirm or {}).proposed)
  local streams = proposed or sessions[ready.session.hex] or {}
  sessions[ready.session.hex] = streams
  local told = held and held.standing or { consumed = confirm and ZERO or nil, sent = ZERO }
  begin(client, ready.session, streams.client_stream or welcome.accept, ready.standing.consumed, told.sent)
  begin(server, ready.session, streams.server_stream or hello.accept, told.consumed, ready.standing.sent)
  connection.shared = ready.carrier == 2
  if confirm and not held and not proposed then return "a session that Confirm did not show" end
  for _, set in ipairs({ hello.wish or 3, welcome.carriers or 3 }) do
    if set ~= 3 and set ~= ready.carrier then return "a carrier that was not wished or not offered" end
  end
end

-- What a login message does to its connection.
local function take_login(record, kind, values)
  local connection, side, other = record.connection, record.side, record.other
  local message, due = TYPES[kind], connection.due
  if due and message ~= due and not (message == "Refusal" and record.login) then
    note(record, "turn", "%s where %s is due", message, due)
  end
  if message == "Hello" or message == "Confirm" then side.role, other.role = "client", "server" end
  if message == "Welcome" or message == "Ready" then side.role, other.role = "server", "client" end
  if message == "Hello" then
    connection.hello, connection.due = values, "Welcome"
  elseif message == "Welcome" then
    connection.welcome, connection.due = values, "Confirm"
  elseif message == "Confirm" then
    connection.confirm, connection.due = values, "Ready"
    local welcome = connection.welcome
    if welcome and welcome.challenge ~= values.challenge then note(record, "turn", "it answers another Welcome") end
  elseif message == "Ready" then
    connection.due = "frame"
    local fault = take_ready(connection, side, other, values)
    if fault then note(record, "turn", fault) end
  else
    connection.due, side.over = "frame", true
    note(record, "refused", "%s", SUMMARIES[kind](values))
  end
  record.role, record.session = side.role, side.session
end

-- Frames (3, 4) and what each must be (7.1) --------------------------------------------------------------------------

local function mark_at(place, salt)
  return (place:rshift(3) * MIX):bxor(salt):rshift(48):tonumber()
end

-- What is wrong with the beginning of a frame.
local function header_fault(record, len, kind, code)
  if kind == 0 then
    local expected = CODE_LENGTHS[code]
    if not expected then return ("unknown control code %d"):format(code) end
    return len ~= expected and ("a control frame of code %d with %d bytes, where %d belong"):format(code, len, expected)
  end
  local most = record.guess and math.min(record.most, MOST_GUESSED) or record.most
  return (len < HEADER or len > most) and ("a length of %d, where %d to %d are possible"):format(len, HEADER, most)
end

-- An ack speaks of the other side's stream.
local function take_ack(record, ack)
  local connection, other = record.connection, record.other
  if ack % UInt64.new(8) ~= ZERO then return note(record, "ack", "an ack of %s is no multiple of 8", tostring(ack)) end
  -- Over shared memory the stream is not here, and the ack of a control frame is not used (10.3).
  if connection.shared or not other.position or other.broken then return end
  if ack <= other.position then record.lag = other.position - ack end
  if ack <= other.acked then return end
  local sent = other.sent > other.position and other.sent or other.position
  if ack > sent then return note(record, "ack", "an ack of %s, where %s was sent", tostring(ack), tostring(sent)) end
  other.acked = ack
  local last
  while other.oldest <= other.newest and other.ends[other.oldest] <= ack do
    last = other.ends[other.oldest]
    other.ends[other.oldest], other.oldest = nil, other.oldest + 1
  end
  if ack <= other.position and last ~= ack then
    note(record, "ack", "an ack of %s, where no message ends", tostring(ack))
  end
end

local function take_message(record, mark, size)
  local side = record.side
  if record.connection.shared then note(record, "turn", "a message, where shared memory carries the messages") end
  if not record.position then return end
  record.finish = record.position + UInt64.new(size)
  record.expected = mark_at(record.position, record.salt)
  record.again = record.finish <= side.sent and 1 or 0
  if mark ~= record.expected then
    note(record, "mark", "a mark of %#06x, where %#06x belongs", mark, record.expected)
    side.broken = true
    return
  end
  if side.capacity and record.finish + UInt64.new(8) > side.acked + side.capacity then
    note(record, "malformed", "it ends at %s, beyond the window", tostring(record.finish))
  end
  side.position = record.finish
  if record.finish > side.acked then
    side.newest = side.newest + 1
    side.ends[side.newest] = record.finish
  end
end

local function take_frame(record, frame)
  local side = record.side
  record.role, record.session = side.role, side.session
  if frame.kind ~= 0 then
    take_message(record, frame.mark, frame.size)
  elseif frame.mark == 3 then
    side.over = true
  end
  take_ack(record, frame.ack)
end

-- Showing ------------------------------------------------------------------------------------------------------------

local function show_record(item, range, record)
  local start = range(0, math.min(range:len(), 8))
  if record.finish then
    generated(item, "position", start, record.position)
    generated(item, "end", start, record.finish)
    generated(item, "mark.expected", range(6, 2), record.expected)
    generated(item, "again", start, record.again)
  end
  if record.lag then generated(item, "ack.lag", range(8, 8), record.lag) end
  if record.role then generated(item, "sender", start, record.role) end
  if record.session then generated(item, "session", start, record.session) end
  for _, entry in ipairs(record.experts) do complain(item, entry[1], entry[2]) end
end

local function show_login(range, tree, record)
  local kind = range(5, 1):uint()
  local item = tree:add(tcpshm, range)
  item:add(f.magic, range(0, 4))
  item:add(f.version, range(4, 1))
  item:add(f.type, range(5, 1))
  item:add_le(f.body, range(6, 2))
  local values = {}
  local body = setmetatable({ tvb = range, at = PROLOGUE, upto = range:len(), item = item }, Body)
  local message = MESSAGES[kind]
  message.read(body, item, values)
  if not body.over and body.at < body.upto then
    body:complain(item, ("%d bytes after the last field"):format(body.upto - body.at))
  end
  local fault = not body.faulty and message.fault and message.fault(values)
  if fault then body:complain(item, fault) end
  if not record.taken and not body.faulty then take_login(record, kind, values) end
  if not record.taken and body.faulty then record.side.broken = true end
  record.taken = true
  show_record(item, range, record)
  local summary = TYPES[kind] .. " " .. (body.faulty and "(malformed)" or SUMMARIES[kind](values))
  item:set_text("tcpshm, " .. summary)
  return summary
end

local function show_header(item, range)
  item:add_le(f.len, range(0, 4))
  item:add_le(f.kind, range(4, 2))
  item:add_le(range(4, 2):le_uint() == 0 and f.code or f.mark, range(6, 2))
end

local function show_content(item, range, frame)
  local there = range:len()
  if frame.kind == 0 then
    if there == HEADER + 8 then item:add_le(f.reason, range(HEADER, 8)) end
    return
  end
  local upto = math.min(frame.len, there)
  if upto > HEADER then item:add(f.payload, range(HEADER, upto - HEADER)) end
  if there > frame.len then
    local padding = item:add(f.padding, range(frame.len, there - frame.len))
    if range(frame.len, there - frame.len):raw():find("[^\0]") then
      complain(padding, "malformed", "padding that is not zero")
    end
  end
end

local function reason_name(number) return REASONS[number:tonumber()] or tostring(number) end

local function show_frame(range, tree, record)
  local len, kind, mark = range(0, 4):le_uint(), range(4, 2):le_uint(), range(6, 2):le_uint()
  local frame = { len = len, kind = kind, mark = mark, size = math.ceil(len / 8) * 8, ack = range(8, 8):le_uint64() }
  if not record.taken then take_frame(record, frame) end
  record.taken = true
  local item = tree:add(tcpshm, range)
  show_header(item, range)
  item:add_le(f.ack, range(8, 8))
  show_content(item, range, frame)
  local summary
  if kind == 0 then
    local reason = mark == 3 and range:len() == 24 and " reason=" .. reason_name(range(HEADER, 8):le_uint64()) or ""
    summary = ("%s%s ack=%s"):format(CODES[mark], reason, tostring(frame.ack))
  else
    local place = record.position and "@" .. tostring(record.position) or "@?"
    summary = ("Message %s kind=%d len=%d ack=%s"):format(place, kind, len, tostring(frame.ack))
  end
  show_record(item, range, record)
  item:set_text("tcpshm, " .. summary)
  return summary
end

-- Whatever is no message and no frame, up to the end of the buffer.
local function show_rest(range, tree, record, which, why)
  local item = tree:add(tcpshm, range, "tcpshm, " .. why)
  item:add(f.rest, range)
  complain(item, which, why)
  show_record(item, range, record)
  return why
end

-- Bytes ---------------------------------------------------------------------------------------------------------------

-- How many bytes what starts here takes, and what shows it; or nothing, and what is wrong. Wants 8 bytes.
local function measure(range, record)
  if (record.login or record.guess) and range(0, 4):raw() == MAGIC then
    local version, kind, body = range(4, 1):uint(), range(5, 1):uint(), range(6, 2):le_uint()
    local most = MESSAGES[kind] and MESSAGES[kind].most
    if version ~= VERSION then
      return nil, "malformed", ("login version %d, this dissector knows %d"):format(version, VERSION)
    elseif not most then
      return nil, "malformed", ("no login message has type %d"):format(kind)
    elseif body > most then
      return nil, "malformed", ("%s of %d bytes, where %d is the most"):format(TYPES[kind], body, most)
    end
    return PROLOGUE + body, show_login
  end
  if record.login then return nil, "malformed", "not a login message" end
  local len = range(0, 4):le_uint()
  local fault = header_fault(record, len, range(4, 2):le_uint(), range(6, 2):le_uint())
  if fault and record.guess then return nil, "lost", "no beginning of a frame" end
  if fault then return nil, "malformed", fault end
  return math.ceil(len / 8) * 8, show_frame
end

-- Shows what starts at a place. Returns where it ends, or nothing and how many more bytes are needed for that.
local function step(tvb, pinfo, tree, at, summaries)
  -- Bytes that the packet had, and those of them that were captured.
  local left, there = tvb:reported_len() - at, tvb:len() - at
  if left < PROLOGUE and pinfo.can_desegment > 0 then return nil, DESEGMENT_ONE_MORE_SEGMENT end
  local record = record_of(pinfo, tvb, at, there >= PROLOGUE and tvb:raw(at, #HELLO) == HELLO)
  local function rest(which, why)
    if not record.taken then record.side.broken = true end
    record.taken = true
    if there > 0 then summaries[#summaries + 1] = show_rest(tvb(at), tree, record, which, why) end
    return at + left
  end
  if record.over then return rest("lost", "behind the end of the connection") end
  if there < PROLOGUE then return rest("lost", "a part of something") end
  local size, show, why = measure(tvb(at, PROLOGUE), record)
  if not size then return rest(show, why) end
  if left < size and pinfo.can_desegment > 0 then return nil, size - left end
  if left < size or there < (show == show_frame and HEADER or size) then
    return rest("lost", "a part of something longer")
  end
  summaries[#summaries + 1] = show(tvb(at, math.min(size, there)), tree, record)
  return at + size
end

-- The buffer that was shown last, to tell a packet's second buffer from the same packet shown again.
local last = { number = -1, offset = 0 }

local function tell(pinfo, tvb, summaries)
  if #summaries == 0 then return end
  local text = table.concat(summaries, "; ", 1, math.min(#summaries, NAMED))
  if #summaries > NAMED then text = ("%s; and %d more"):format(text, #summaries - NAMED) end
  pinfo.cols.protocol:set("tcpshm")
  if last.number == pinfo.number and tvb:offset() > last.offset then
    pinfo.cols.info:append("; " .. text)
  else
    pinfo.cols.info:set(text)
  end
  last = { number = pinfo.number, offset = tvb:offset() }
end

local function dissect(tvb, pinfo, tree)
  local summaries, at, reported = {}, 0, tvb:reported_len()
  while at < reported do
    local upto, missing = step(tvb, pinfo, tree, at, summaries)
    if not upto then
      pinfo.desegment_offset, pinfo.desegment_len = at, missing
      break
    end
    at = upto
  end
  tell(pinfo, tvb, summaries)
  return reported
end

tcpshm.dissector = dissect

-- Recognition ---------------------------------------------------------------------------------------------------------

-- A connection whose first bytes are those of a login is one of ours, on any port.
local function begins_a_login(tvb, pinfo)
  local count = math.min(tvb:len(), #MAGIC)
  if count == 0 or tvb:raw(0, count) ~= MAGIC:sub(1, count) then return false end
  if count == #MAGIC then return tvb:len() < 6 or TYPES[tvb(5, 1):uint()] ~= nil end
  -- Less than the magic: only in the first packet of its direction, or in what was put together from there on.
  local from, to = ends(pinfo)
  if short[pinfo.number] then return true end
  if short[from .. " " .. to] and tvb:offset() > 0 then return false end
  short[pinfo.number], short[from .. " " .. to] = true, true
  return true
end

local function recognise(tvb, pinfo, tree)
  if not begins_a_login(tvb, pinfo) then return false end
  if tvb:len() < #MAGIC then
    pinfo.desegment_offset, pinfo.desegment_len = 0, DESEGMENT_ONE_MORE_SEGMENT
    return true
  end
  local from, to = ends(pinfo)
  short[from .. " " .. to] = nil
  pinfo.conversation = tcpshm
  -- Not as a dissector inside this one: that could not ask for more bytes.
  dissect(tvb, pinfo, tree)
  return true
end

tcpshm:register_heuristic("tcp", recognise)

local ports = DissectorTable.get("tcp.port")
ports:add_for_decode_as(tcpshm)

tcpshm.prefs.ports = Pref.range("TCP ports", "", "Ports that are tcpshm's even where no login was captured", 65535)
local set = ""

function tcpshm.prefs_changed()
  if set == tcpshm.prefs.ports then return end
  if set ~= "" then ports:remove(set, tcpshm) end
  set = tcpshm.prefs.ports
  if set ~= "" then ports:add(set, tcpshm) end
end

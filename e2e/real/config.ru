# frozen_string_literal: true

# A small Rack app that speaks the language of internal/load/payload: every
# answer names its version, the request's nonce, its length and its hash.
require "base64"
# Named one by one: the first use of Digest::SHA256 would load it, and threads
# that do so at once fail.
require "digest/sha1"
require "digest/sha2"
require "rack/utils"

VERSION = ENV.fetch("VERSION", "v1")

LINE = ->(nonce, *fields) { "#{(["upfront", VERSION, nonce] + fields).join(" ")}\n" }

def answer(body)
  [200, { "content-type" => "text/plain", "content-length" => body.bytesize.to_s, "x-version" => VERSION }, [body]]
end

def payload(nonce, size)
  unit = "#{nonce} "
  content = (unit * (size / unit.bytesize + 1))[0, size]
  answer(LINE.call(nonce, size, Digest::SHA256.hexdigest(content)) + content)
end

def receipt(nonce, input)
  sum = Digest::SHA256.new
  length = 0
  while (part = input.read(16 * 1024))
    sum << part
    length += part.bytesize
  end
  answer(LINE.call(nonce, length, sum.hexdigest))
end

# Pieces comes without a Content-Length, so that Puma sends it chunked, piece by
# piece.
class Pieces
  def initialize(nonce, count, millis)
    @nonce = nonce
    @count = count
    @pause = count > 1 ? millis / 1000.0 / (count - 1) : 0
  end

  def each
    sum = Digest::SHA256.new
    1.upto(@count) do |i|
      sleep @pause if i > 1
      piece = LINE.call(@nonce, "piece", i, @count)
      sum << piece
      yield piece
    end
    yield LINE.call(@nonce, "end", sum.hexdigest)
  end
end

# Echo answers every WebSocket message with itself, on the hijacked connection.
class Echo
  TEXT = 1
  CLOSE = 8
  PING = 9
  PONG = 10

  def initialize(io)
    @io = io
  end

  def serve(key)
    accept(key)
    loop do
      opcode, data = read_frame
      write_frame(opcode == PING ? PONG : opcode, data) unless opcode == PONG
      break if opcode == CLOSE
    end
  rescue EOFError, SystemCallError, IOError
    # The other side left.
  ensure
    @io.close
  end

  private

  def accept(key)
    sum = Base64.strict_encode64(Digest::SHA1.digest("#{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
    @io.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
              "Sec-WebSocket-Accept: #{sum}\r\nX-Version: #{VERSION}\r\n\r\n")
    @io.flush
  end

  def read_frame
    first, second = read(2).unpack("CC")
    length = second & 0x7f
    length = read(2).unpack1("n") if length == 126
    length = read(8).unpack1("Q>") if length == 127
    mask = read(4).bytes
    data = read(length).bytes.each_with_index.map { |byte, i| byte ^ mask[i % 4] }
    [first & 0x0f, data.pack("C*")]
  end

  def read(count)
    return "".b if count.zero?

    data = @io.read(count)
    raise EOFError if data.nil? || data.bytesize < count

    data
  end

  def write_frame(opcode, data)
    head = [0x80 | opcode]
    if data.bytesize < 126
      head << data.bytesize
      head = head.pack("CC")
    else
      head = (head << 126 << data.bytesize).pack("CCn")
    end
    @io.write(head + data)
    @io.flush
  end
end

def web_socket(env)
  key = env["HTTP_SEC_WEBSOCKET_KEY"]
  return [400, { "content-type" => "text/plain", "content-length" => "0" }, []] unless key

  env["rack.hijack"].call
  io = env["rack.hijack_io"]
  Thread.new { Echo.new(io).serve(key) }
  [-1, {}, []]
end

run(lambda do |env|
  query = Rack::Utils.parse_query(env["QUERY_STRING"])
  nonce = query.fetch("nonce", "-")
  case env["PATH_INFO"]
  when "/up" then answer("OK")
  when "/", "/payload" then payload(nonce, query.fetch("size", 300).to_i)
  when "/echo" then receipt(nonce, env["rack.input"])
  when "/stream"
    pieces = Pieces.new(nonce, query.fetch("pieces", 6).to_i, query.fetch("ms", 1500).to_i)
    [200, { "content-type" => "text/plain", "x-version" => VERSION }, pieces]
  when "/ws" then web_socket(env)
  else [404, { "content-type" => "text/plain", "content-length" => "0" }, []]
  end
end)

// SPDX-License-Identifier: Apache-2.0

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URL;
import java.util.Map;
import java.util.concurrent.Executors;

/** Server PORT [BACKEND PORT]: answers with the number in the path, or with what the backend says. */
public class Server {
    private static final Map<String, Integer> CODES = Map.of("missing", 404, "broken", 500);
    private static String backend;

    private static void answer(HttpExchange exchange, int code, byte[] body) throws IOException {
        exchange.sendResponseHeaders(code, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    private static void number(HttpExchange exchange, String path) throws IOException {
        String[] all = path.split("\\D+");
        String last = all.length == 0 ? "-" : all[all.length - 1];
        answer(exchange, CODES.getOrDefault(path.split("/")[1], 200), last.getBytes());
    }

    private static void ask(HttpExchange exchange, String path) throws IOException {
        URL url = new URL("http://127.0.0.1:" + backend + path);
        HttpURLConnection call = (HttpURLConnection) url.openConnection();
        try (InputStream body = call.getInputStream()) {
            answer(exchange, call.getResponseCode(), body.readAllBytes());
        }
    }

    private static void handle(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        exchange.getRequestBody().readAllBytes();
        if (backend == null) {
            number(exchange, path);
        } else {
            ask(exchange, path);
        }
    }

    public static void main(String[] args) throws IOException {
        backend = args.length > 1 ? args[1] : null;
        InetSocketAddress address = new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0]));
        HttpServer server = HttpServer.create(address, 256);
        server.createContext("/", Server::handle);
        server.setExecutor(Executors.newFixedThreadPool(32));
        server.start();
    }
}

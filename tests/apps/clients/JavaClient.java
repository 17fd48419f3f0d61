// SPDX-License-Identifier: Apache-2.0

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** java.net.http: one client, a thread for each worker. Arguments: tests/lib/client_main.py. */
public class JavaClient {
    private static final int PERIOD = 251;
    private static final double STALL_MS = 4000;
    private static final Duration TIMEOUT = Duration.ofSeconds(10);
    private static final String INNER =
        "GET /wire/p/0/8/99999999 HTTP/1.1\r\nHost: inside\r\nContent-Length: 0\r\n\r\n";

    private record Shape(String method, String kind, int body, int answer, int pad, String flags) {
    }

    private static final List<Shape> SHAPES = new ArrayList<>();
    private static final List<String> ERRORS = new ArrayList<>();
    private static HttpClient client;
    private static String base;
    private static byte[] table;
    private static byte[] inner;
    private static int requests;
    private static int failed;
    private static int stalls;
    private static double slowest;

    private static byte[] pattern(int number, int size) {
        return Arrays.copyOfRange(table, number % PERIOD, number % PERIOD + size);
    }

    private static void readShapes(String path) throws IOException {
        int longest = 0;
        for (String line : Files.readAllLines(Path.of(path))) {
            String[] w = line.split(" ");
            Shape shape = new Shape(w[0], w[1], Integer.parseInt(w[2]), Integer.parseInt(w[3]),
                                    Integer.parseInt(w[4]), w[5]);
            SHAPES.add(shape);
            longest = Math.max(longest, Math.max(shape.body, shape.answer));
        }
        table = new byte[PERIOD + longest];
        inner = new byte[longest];
        for (int i = 0; i < table.length; i++) {
            table[i] = (byte) (i % PERIOD);
        }
        for (int i = 0; i < inner.length; i++) {
            inner[i] = (byte) INNER.charAt(i % INNER.length());
        }
    }

    private static BodyPublisher body(Shape shape, int number) {
        if (shape.body == 0) {
            return BodyPublishers.noBody();
        }
        byte[] data = shape.kind.contains("r") ? Arrays.copyOf(inner, shape.body)
                                               : pattern(number, shape.body);
        if (shape.flags.contains("chunked")) {
            return BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(data));
        }
        return BodyPublishers.ofByteArray(data);
    }

    private static void ask(int number) throws IOException, InterruptedException {
        Shape shape = SHAPES.get(number % SHAPES.size());
        String target = String.format("/wire/%s/%d/%d/%08d", shape.kind, shape.body, shape.answer, number);
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(base + target))
            .timeout(TIMEOUT).method(shape.method, body(shape, number))
            .expectContinue(shape.flags.contains("expect"));
        if (shape.pad > 0) {
            request.header("X-Pad", "p".repeat(shape.pad));
        }
        HttpResponse<byte[]> answer = client.send(request.build(), BodyHandlers.ofByteArray());
        if (answer.statusCode() != 200 || !Arrays.equals(answer.body(), pattern(number, shape.answer))) {
            throw new IOException("status " + answer.statusCode() + ", an answer of "
                                  + answer.body().length + " bytes");
        }
    }

    private static synchronized void note(int number, double milliseconds, Exception error) {
        requests++;
        stalls += milliseconds > STALL_MS ? 1 : 0;
        slowest = Math.max(slowest, milliseconds);
        if (error != null) {
            failed++;
            if (ERRORS.size() < 5) {
                ERRORS.add("\"request " + number + ": " + error.toString().replace('"', '\'') + "\"");
            }
        }
    }

    private static void work(int first, int end, int step) {
        for (int number = first; number < end; number += step) {
            long begin = System.nanoTime();
            Exception problem = null;
            try {
                ask(number);
            } catch (IOException | InterruptedException error) {
                problem = error;
            }
            note(number, (System.nanoTime() - begin) / 1e6, problem);
        }
    }

    public static void main(String[] args) throws IOException, InterruptedException {
        base = "http://127.0.0.1:" + args[0];
        readShapes(args[1]);
        int first = Integer.parseInt(args[2]);
        int end = first + Integer.parseInt(args[3]);
        int workers = Integer.parseInt(args[4]);
        HttpClient.Builder builder = HttpClient.newBuilder();
        if (!Boolean.getBoolean("upgrade")) {  // without it the first request offers HTTP/2
            builder.version(HttpClient.Version.HTTP_1_1);
        }
        client = builder.build();
        while (System.in.read() != '\n') {
            continue;
        }
        long begin = System.nanoTime();
        Thread[] threads = new Thread[workers];
        for (int i = 0; i < workers; i++) {
            int start = first + i;
            threads[i] = new Thread(() -> work(start, end, workers));
            threads[i].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        System.out.printf("{\"requests\": %d, \"failed\": %d, \"errors\": [%s], \"stalls\": %d, "
                          + "\"slowest_ms\": %.1f, \"seconds\": %.3f}%n", requests, failed,
                          String.join(", ", ERRORS), stalls, slowest, (System.nanoTime() - begin) / 1e9);
        System.exit(0);
    }
}

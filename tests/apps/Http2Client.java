// SPDX-License-Identifier: Apache-2.0

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;

/**
 * java.net.http as it is by itself: its first request asks for HTTP/2, and those behind it, all at once, are
 * sent in it. Arguments: a URL up to the number, and how many. Prints how many answers were good, and in
 * HTTP/2.
 */
public class Http2Client {
    private static CompletableFuture<HttpResponse<String>> ask(HttpClient client, String url) {
        return client.sendAsync(HttpRequest.newBuilder(URI.create(url)).build(), BodyHandlers.ofString());
    }

    public static void main(String[] words) {
        HttpClient client = HttpClient.newHttpClient();
        int count = Integer.parseInt(words[1]);
        ask(client, words[0] + 0).join();
        List<CompletableFuture<HttpResponse<String>>> rest =
            IntStream.range(1, count).mapToObj(n -> ask(client, words[0] + n)).toList();
        System.out.println(rest.stream().map(CompletableFuture::join)
            .filter(r -> r.statusCode() == 200 && r.version() == HttpClient.Version.HTTP_2).count());
    }
}

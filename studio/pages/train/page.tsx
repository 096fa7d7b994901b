/** Train live. */
export default function Train() {
  return (
    <article class="page">
      <header class="page-head">
        <h1>Train live</h1>
      </header>
    </article>
  );
}

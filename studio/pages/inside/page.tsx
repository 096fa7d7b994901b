/** See inside. */
export default function Inside() {
  return (
    <article class="page">
      <header class="page-head">
        <h1>See inside</h1>
      </header>
    </article>
  );
}
